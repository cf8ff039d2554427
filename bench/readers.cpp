/* SPDX-License-Identifier: Apache-2.0 */
/* jansson and simdjson as readers to be held against (engine/apps/sluice/bench_readers.h). Each does what its users do: jansson and simdjson's
 * DOM build the whole document; simdjson's on-demand reader walks every value once. The only C++ in the tree. */
#include "engine/apps/sluice/bench_readers.h"

#include <jansson.h>
#include <simdjson.h>

namespace
{

size_t read_jansson(const char *text, size_t len, size_t count)
{
    size_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        json_t *root = json_loadb(text, len, 0, nullptr);
        if (!root)
            return 0;
        sum += json_object_size(root) + 1;
        json_decref(root);
    }
    return sum;
}

size_t read_simdjson_dom(const char *text, size_t len, size_t count)
{
    static simdjson::dom::parser parser;
    size_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        simdjson::dom::element root;
        if (parser.parse(text, len, false).get(root))
            return 0;
        sum += static_cast<size_t>(root.type());
    }
    return sum;
}

size_t walk(simdjson::ondemand::value value)
{
    size_t sum = 1;
    switch (value.type()) {
    case simdjson::ondemand::json_type::object:
        for (auto field : value.get_object())
            sum += field.unescaped_key().value().size() + walk(field.value());
        break;
    case simdjson::ondemand::json_type::array:
        for (auto element : value.get_array())
            sum += walk(element.value());
        break;
    case simdjson::ondemand::json_type::string:
        sum += value.get_string().value().size();
        break;
    case simdjson::ondemand::json_type::number:
        sum += value.get_double().value() > 0;
        break;
    default:
        sum += value.raw_json_token().size();
    }
    return sum;
}

size_t read_simdjson_ondemand(const char *text, size_t len, size_t count)
{
    static simdjson::ondemand::parser parser;
    size_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        simdjson::padded_string_view view(text, len, len + BENCH_PADDING);
        simdjson::ondemand::document document;
        simdjson::ondemand::value root;
        if (parser.iterate(view).get(document) || document.get_value().get(root))
            return 0;
        sum += walk(root);
    }
    return sum;
}

} // namespace

static_assert(BENCH_PADDING >= simdjson::SIMDJSON_PADDING, "simdjson may read this far behind the text");

const struct bench_reader bench_readers[] = {
    { "jansson", read_jansson },
    { "simdjson_dom", read_simdjson_dom },
    { "simdjson_ondemand", read_simdjson_ondemand },
    { nullptr, nullptr },
};
