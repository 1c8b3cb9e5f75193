/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of the reset reasons, and what not every codec has. */
#include "codec/codec.h"

#include "http/frame_metadata.h"

struct nu_str nu_reset_reason_text(enum nu_reset_reason reason)
{
    switch (reason) {
#define X(id, text) \
    case id: \
        return NU_STR(text);
        NU_RESET_REASONS(X)
#undef X
    }
    return NU_STR("unknown");
}

bool nu_encode_metadata(struct nu_stream_encoder *encoder, struct nu_frame_metadata *metadata)
{
    if (encoder->ops->encode_metadata) {
        encoder->ops->encode_metadata(encoder, metadata);
        return true;
    }
    nu_frame_metadata_destroy(&metadata);
    return false;
}
