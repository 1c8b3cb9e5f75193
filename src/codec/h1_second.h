/* SPDX-License-Identifier: Apache-2.0 */
/*
 * llhttp as the second reader of a message. It is shown the first line, the field lines that bear
 * on framing, and the framing of the body, each once our own reading took it; whatever it reads in
 * another way fails the message.
 *
 * A plain message needs no second reader, since there is one way to read it: a common method, a
 * path of visible ASCII and HTTP/1.1 (or HTTP/1.1, a status and a reason of ASCII), no field that
 * bears on framing but one Content-Length of up to 18 digits and a Connection that says "close" or
 * "keep-alive" and nothing else. That every llhttp reads these alike is shown by
 * tests/unit/codec/h1_plain_test.c. The second reader is made when the first thing that is not
 * plain comes, and is shown what went before.
 */
#ifndef NU_CODEC_H1_SECOND_H
#define NU_CODEC_H1_SECOND_H

#include "codec/h1_internal.h"

/* Makes it in the message's arena, and shows it what was read so far: the first line, which ends
 * before `line_end`, and the fields of the map. Each of the functions that return bool fails the
 * message where it returns false. */
bool nu_h1_second_begin(struct nu_h1_message *msg, const char *line_end);
/* Shows a field that bears on framing, without the blanks around its value, of which llhttp's
 * versions think differently. */
bool nu_h1_second_show_field(struct nu_h1_message *msg, enum nu_header_id id, struct nu_str value);
/* Shows the empty line behind the head or the trailers, where it looks at the whole of them. */
bool nu_h1_second_end_section(struct nu_h1_message *msg);
/* Whether it found the same framing in a complete head. */
bool nu_h1_second_agrees(const struct nu_h1_message *msg);
/* Shows the size line of a chunk, as it is written at its plainest, and the end of the chunk
 * before. */
bool nu_h1_second_show_chunk(struct nu_h1_message *msg, uint64_t size);
/* The trailer section of the last chunk begins. */
void nu_h1_second_begin_trailers(struct nu_h1_message *msg);
/* Shows body bytes, which lie in `block` and are added to msg->body. Returns how many of them are
 * the message's: all unless it is complete with them; 0 where the message failed. */
size_t nu_h1_second_show_body(struct nu_h1_message *msg, struct nu_block *block, const char *from,
                              size_t len);

#endif
