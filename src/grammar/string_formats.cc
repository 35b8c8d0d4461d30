#include "grammar/string_formats.h"

#include <utility>

namespace layerboost {
namespace {

#define LB_DATE                                                                                                       \
  "[1-9][0-9]{3}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-" \
  "8]))"
#define LB_TIME "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
#define LB_BYTE "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
#define LB_LABEL "[A-Za-z0-9]([A-Za-z0-9-]{0,60}[A-Za-z0-9])?"  // four of them are no name of more than 253 characters

constexpr std::pair<std::string_view, std::string_view> formats[] = {
    {"date", LB_DATE},
    {"time", LB_TIME},
    {"date-time", LB_DATE "T" LB_TIME},
    {"duration",
     "P(([0-9]{1,9}D|[0-9]{1,9}W)|([0-9]{1,9}D)?T([0-9]{1,9}H([0-9]{1,9}M([0-9]{1,9}S)?)?|"
     "[0-9]{1,9}M([0-9]{1,9}S)?|[0-9]{1,9}S))"},
    {"uuid", "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"},
    {"ipv4", LB_BYTE "(\\." LB_BYTE "){3}"},
    {"hostname", LB_LABEL "(\\." LB_LABEL "){0,3}"},
    {"email", "[A-Za-z0-9_+-]{1,32}(\\.[A-Za-z0-9_+-]{1,30}){0,1}@" LB_LABEL "(\\." LB_LABEL "){1,3}"},
    {"uri", "https?://" LB_LABEL "(\\." LB_LABEL "){0,3}(:[0-9]{1,4})?(/[A-Za-z0-9._~/-]{0,400})?"
            "(\\?[A-Za-z0-9._~=&-]{0,200})?(#[A-Za-z0-9._~-]{0,100})?"},
};

}  // namespace

std::string_view regex_of_format(std::string_view format) {
  for (const auto& [name, regex] : formats)
    if (name == format) return regex;
  return {};
}

}  // namespace layerboost
