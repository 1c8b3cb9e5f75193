/* SPDX-License-Identifier: Apache-2.0 */
/* Structs in protobuf's text format. */
#include "harness/test.h"

#include "runtime/text_format.h"

TEST(every_kind_of_value_is_written)
{
    struct nu_arena arena;
    struct nu_strbuf out = {0};
    nu_arena_init(&arena);
    struct nu_value inner = nu_value_struct();
    nu_value_set(&inner, &arena, NU_STR("n"), nu_value_number(0.1));
    struct nu_value list = nu_value_list();
    nu_value_add(&list, &arena, nu_value_null());
    nu_value_add(&list, &arena, nu_value_bool(true));
    struct nu_value record = nu_value_struct();
    nu_value_set(&record, &arena, NU_STR("a"), list);
    nu_value_set(&record, &arena, NU_STR("b"), inner);
    nu_value_set(&record, &arena, NU_STR("c"), nu_value_string(NU_STR("\"\\\n\x01\xc3'")));
    nu_text_format_struct(&record, &out);
    assert_str(nu_strbuf_str(&out), "fields {\n"
                                    "  key: \"a\"\n"
                                    "  value {\n"
                                    "    list_value {\n"
                                    "      values {\n"
                                    "        null_value: NULL_VALUE\n"
                                    "      }\n"
                                    "      values {\n"
                                    "        bool_value: true\n"
                                    "      }\n"
                                    "    }\n"
                                    "  }\n"
                                    "}\n"
                                    "fields {\n"
                                    "  key: \"b\"\n"
                                    "  value {\n"
                                    "    struct_value {\n"
                                    "      fields {\n"
                                    "        key: \"n\"\n"
                                    "        value {\n"
                                    "          number_value: 0.1\n"
                                    "        }\n"
                                    "      }\n"
                                    "    }\n"
                                    "  }\n"
                                    "}\n"
                                    "fields {\n"
                                    "  key: \"c\"\n"
                                    "  value {\n"
                                    "    string_value: \"\\\"\\\\\\n\\001\\303\\'\"\n"
                                    "  }\n"
                                    "}\n");
    nu_strbuf_finish(&out);
    nu_arena_finish(&arena);
}

TEST_MAIN()
