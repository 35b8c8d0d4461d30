// In which form a chat template takes the content of messages: as a text, or as a list of parts.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/json.h"

namespace layerboost {

enum class ContentForm {
  as_given,  // the template takes both
  text,      // parts become one text
  parts,     // a text becomes a list of one part
};

/// The form for each role: templates may take a user's parts, but only texts of others.
struct ContentForms {
  std::map<std::string, ContentForm, std::less<>> of_roles;
  ContentForm otherwise = ContentForm::as_given;  // of all other roles

  [[nodiscard]] ContentForm of(std::string_view role) const;
};

/// The text of messages and tools, which may be null; anything without the messages' words where the template refuses
/// them.
using RenderMessages = std::function<std::string(const Json& messages, const Json& tools)>;

/// Finds the forms by trying: for each of OpenAI's roles `render` is given a conversation with a word in that role's
/// content, once as a text and once as a part. Where the word comes out of one alone, that is the form; a part that
/// comes out printed, as templates print lists and mappings, doesn't count. Where it comes out of both or of neither,
/// as with roles that the template refuses, contents stay as they are given; other roles have the form of users.
/// Results of tools are tried with a tool, and so are all roles where the template is `for_tools`.
ContentForms find_content_forms(const RenderMessages& render, bool for_tools);

}  // namespace layerboost
