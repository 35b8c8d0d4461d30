#include "text/chat_template.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>
#include <vector>

#include "base/cpu_time_for_tests.h"
#include "base/file.h"
#include "jinja/budget.h"
#include "text/testing.h"

namespace layerboost {
namespace {

const fs::path chat_data = fs::path(LAYERBOOST_SOURCE_DIR) / "src/text/testdata/chat";

class ChatTemplates : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    setenv("TZ", "UTC", 1);  // strftime_now() tells local time
    tzset();
  }
};

std::string render(std::string_view source, const ChatInput& input = {}) {
  return ChatTemplate(source, "<s>", "</s>").render(input);
}

std::string error_of(std::string_view source, std::size_t most_work = jinja::Budget::max_work) {
  try {
    return "no error: " + ChatTemplate(source, "<s>", "</s>").render({}, most_work);
  } catch (const Error& error) {
    return error.what();
  }
}

// The text, or "refused".
std::string text_or_refusal(const std::string& source, const std::string& bos, const std::string& eos,
                            const ChatInput& input) {
  try {
    return ChatTemplate(source, bos, eos).render(input);
  } catch (const Error&) {
    return "refused";
  }
}

std::string expected_text(const Json& golden) { return golden.is_object() ? "refused" : golden.get<std::string>(); }

void compare_with_goldens(const fs::path& goldens, const fs::path& folder) {
  const Json conversations = read_json(chat_data / "conversations.json");
  const Json golden = read_json(goldens);
  for (const Json& one : golden["templates"]) {
    const std::string source = read_file(folder / one["template"].get<std::string>());
    for (const auto& [name, text] : one["texts"].items()) {
      const Json& conversation = conversations[name];
      ChatInput input;
      input.messages = conversation["messages"];
      input.tools = conversation.value("tools", Json());
      input.variables = conversation.value("variables", Json());
      input.add_generation_prompt = conversation.value("add_generation_prompt", true);
      input.now = golden["now"].get<std::time_t>();
      EXPECT_EQ(text_or_refusal(source, one["bos"], one["eos"], input), expected_text(text))
          << one["template"] << ": " << name;
    }
  }
}

TEST_F(ChatTemplates, RenderAsJinjaDoes) { compare_with_goldens(chat_data / "goldens.json", chat_data); }

TEST_F(ChatTemplates, OtherTemplatesRenderAsJinjaDoes) {
  const char* const goldens = std::getenv("LAYERBOOST_CHAT_GOLDENS");
  if (goldens == nullptr) GTEST_SKIP() << "LAYERBOOST_CHAT_GOLDENS names no file (bench/chat/goldens.py makes one)";
  compare_with_goldens(goldens, "/");
}

TEST_F(ChatTemplates, LastMessagesAreContinuedAsInTransformers) {
  const Json goldens = read_json(chat_data / "continued_goldens.json");
  for (const Json& one : goldens["templates"]) {
    const std::string source = read_file(chat_data / one["template"].get<std::string>());
    for (const auto& [name, text] : one["texts"].items()) {
      ChatInput input;
      input.messages = goldens["conversations"][name];
      input.add_generation_prompt = false;
      input.continue_last = true;
      input.now = goldens["now"].get<std::time_t>();
      EXPECT_EQ(text_or_refusal(source, one["bos"], one["eos"], input), expected_text(text))
          << one["template"] << ": " << name;
    }
  }
}

TEST_F(ChatTemplates, WhatHasNoTextIsNotContinued) {
  const ChatTemplate chat("{% for m in messages %}{{ m.content }}{% endfor %}", "", "");
  ChatInput input;
  input.continue_last = true;
  for (const char* const messages : {"[]", "[{\"role\": \"assistant\"}]", "[{\"content\": null}]", "[{\"content\": 3}]",
                                     R"([{"content": "a"}, {"role": "assistant", "tool_calls": []}])"}) {
    input.messages = Json::parse(messages);
    EXPECT_THROW((void)chat.render(input), Error) << messages;
  }
}

TEST_F(ChatTemplates, FeaturesOfTheLanguageAreJinjas) {
  const Json goldens = read_json(chat_data / "snippet_goldens.json");
  ChatInput input;
  input.now = 1700000000;
  for (const Json& golden : goldens)
    EXPECT_EQ(text_or_refusal(golden[0], "<s>", "</s>", input), expected_text(golden[1])) << golden[0];
}

TEST_F(ChatTemplates, TheModelsOwnTemplateIsUsed) {
  TokenizerData tokens = small_tokenizer_data({});
  tokens.chat_template = "{{ bos_token }}{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}";
  tokens.tool_template = "{{ tools | length }} tools";
  const ChatTemplate chat{Tokenizer(tokens)};
  ChatInput input;
  input.messages = Json::parse(R"([{"role": "user", "content": "hi"}])");
  EXPECT_EQ(chat.render(input), "<|start|>hi<|end|>");
  input.tools = Json::parse(R"([{"type": "function"}])");
  EXPECT_EQ(chat.render(input), "1 tools");
}

TEST_F(ChatTemplates, AModelWithoutATemplateSaysSo) {
  EXPECT_THROW(ChatTemplate{Tokenizer(small_tokenizer_data({}))}, Error);
}

TEST_F(ChatTemplates, ErrorsNameTheLine) {
  EXPECT_EQ(error_of("one\ntwo {{ missing.x }}\n"), "chat template, line 2: \"missing\" is undefined");
  EXPECT_EQ(error_of("{% if true %}\n\n{{ raise_exception('not\nso') }}{% endif %}"), "chat template, line 3: not so");
  EXPECT_EQ(error_of("{{ raise_exception('\x1b[2J') }}"), "chat template, line 1: \\x1b[2J");
  EXPECT_LT(error_of("{{ raise_exception('a' * 9999999) }}").size(), 1100U);
  EXPECT_EQ(error_of("\n{% for x in %}"), "chat template, line 2: expected an expression, found the end of the tag");
  EXPECT_EQ(error_of("\n{% if true %}"), "chat template, line 2: expected {% endif %}, found the end of the template");
  EXPECT_EQ(error_of("{{ 1 | nonsense }}"), "chat template, line 1: unknown filter \"nonsense\"");
  EXPECT_EQ(error_of("a\n{{ 'b' }"), "chat template, line 2: unexpected \"}\"");
}

TEST_F(ChatTemplates, NothingRunsOrGrowsWithoutBounds) {
  const auto expect_refusal = [](std::string_view source) {
    EXPECT_TRUE(error_of(source).starts_with("chat template")) << source << ": " << error_of(source).substr(0, 200);
  };
  expect_refusal("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}");
  expect_refusal("{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}");
  expect_refusal("{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}");
  expect_refusal("{% set ns = namespace(x=[1]) %}{% for i in range(99999) %}{% set ns.x = [ns.x] %}{% endfor %}");
  expect_refusal("{{ 'x' * 99999999999 }}");
  expect_refusal("{{ 'x'.center(9999999999) }}");
  expect_refusal("{{ ('a' * 1000000).replace('a', 'b' * 1000000) }}");
  expect_refusal("{{ range(99999) | join('x' * 1000000) }}");
  expect_refusal("{{ [range(99999) | list] | tojson(indent='x' * 1000000) }}");
  expect_refusal("{{ 9 ** 9999 }}");
  expect_refusal("{{ 10 ** (10 ** 30) }}");
  expect_refusal("{{ 10 ** 4299 * 10 }}");
  expect_refusal("{{ " + std::string(5000, '9') + " }}");
  expect_refusal("{{ '{:>99999}'.format(1) }}");
  expect_refusal("{{ '{:{:{}}}'.format(1, 2, 3) }}");
  expect_refusal("{{ " + std::string(100000, '(') + "1" + std::string(100000, ')') + " }}");
  expect_refusal("{{ 1" + [] {
    std::string sum;
    for (int i = 0; i < 100000; ++i) sum += "+1";
    return sum;
  }() + " }}");
  std::string nested;
  for (int i = 0; i < 100000; ++i) nested += "{% if 1 %}";
  expect_refusal(nested);
}

// Each would take from minutes to years, or fill the memory, if only its steps were counted.
constexpr const char* endless[] = {
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "{% for a in range(99999) %}{% set x = range(99999) %}{% endfor %}",
    "{% set l = range(99999) | list %}{% for a in l %}{% for b in l %}{% set x = l %}{% endfor %}{% endfor %}",
    "{% set l = range(99999) | list %}{% for a in l %}{% set x = l | reverse | sort | unique | first %}{% endfor %}",
    "{% set l = range(99999) | list %}{% for a in l %}{% if -1 in l or l == l[:] ~ 1 %}{% endif %}{% endfor %}",
    "{% set l = ['a' * 9999] * 5000 %}{% for a in range(99999) %}{% if ('a' * 9998 + 'b') in l %}{% endif %}{% endfor "
    "%}",
    "{% set l = range(99999) | list %}{% for a in l %}{% set x = l | string | length %}{% endfor %}",
    "{% set l = ['a'] * 5000000 %}{% for a in range(99999) %}{% set x = l | join %}{% endfor %}",
    "{% set t = 'a' * 9999999 %}{% for a in range(99999) %}{% if 'a' * 250 + 'b' in t %}{% endif %}{% endfor %}",
    "{% set t = 'a' * 9999999 %}{% for a in range(99999) %}{% set x = t.rfind('b' + 'a' * 9999) %}{% endfor %}",
    "{% set t = 'a' * 9999999 %}{% for a in range(99999) %}{% set x = t.count('a') %}{% endfor %}",
    "{% set t = 'a' * 9999999 %}{% for a in range(99999) %}{% set x = t.replace('a', 'b') %}{% endfor %}",
    "{% set t = ' ' * 9999999 %}{% for a in range(99999) %}{% set x = t | trim %}{% endfor %}",
    "{% set t = 'a' * 9999999 %}{% for a in range(99999) %}{% set x = t.strip('bcdefghijklmnopqrstuvwxyza') %}{% "
    "endfor %}",
    "{% set t = 'a' * 9999999 %}{% for a in range(99999) %}{% set x = t | length %}{% endfor %}",
    "{% set t = 'a' * 9999999 %}{% for a in range(99999) %}{% set x = t[9999998] ~ t[5:] ~ t[::-1] %}{% endfor %}",
    "{% set t = '<' * 9999999 %}{% for a in range(99999) %}{% set x = t | escape %}{% endfor %}",
    "{% set t = 'a\n' * 99999 %}{% for a in range(99999) %}{% set x = t | indent(999) %}{% endfor %}",
    "{% set t = '%d' * 9999 %}{% for a in range(99999) %}{% set x = t % ((1,) * 9999) %}{% endfor %}",
    "{% set k = 'a' * 9999999 %}{% set d = {k + 'b': 1} %}{% for a in range(99999) %}{% set x = d[k + 'c'] %}{% endfor "
    "%}",
    "{% set ns = namespace(t='') %}{% for a in range(99999) %}{% set ns.t = ns.t ~ 'abcdefghij' * 99 %}{% endfor %}",
    "{% set ns = namespace(l=[]) %}{% for a in range(99999) %}{% set ns.l = ns.l + [range(99999)] %}{% endfor %}",
    "{% set ns = namespace(n=0) %}{% for a in range(9999) %}{% for b in range(9999) %}{% set ns.n = namespace() %}"
    "{% endfor %}{% endfor %}",
    "{% macro f() %}{{ 'a' * 9999999 }}{{ f() }}{% endmacro %}{{ f() }}",
    "{{ ('a' * 60000000).split('a') }}",
    "{{ [1] * 60000000 }}",
    "{{ ('a' * 60000000) | list }}",
    "{{ range(3) | batch(60000000, 0) }}",
    "{{ ('\n' * 999999) | indent('a' * 999999) }}",
    "{{ [[[[[[[[1]]]]]]]] | tojson(indent='a' * 60000000) }}",
    "{% set n = 10 ** 4200 %}{% for a in range(99999) %}{% set x = n // 7 + a %}{% endfor %}",
    "{% set n = 10 ** 2100 %}{% for a in range(99999) %}{% set x = n * n % 7 == a or n < n - a %}{% endfor %}",
    "{% for a in range(99999) %}{% set x = '{:65000}{:>65000}'.format(a, a) %}{% endfor %}",
    "{% set t = '{}' * 9999 %}{% for a in range(99999) %}{% set x = t.format(*([1] * 9999)) %}{% endfor %}",
    "{% set t = 'a-b ' * 99999 %}{% for a in range(99999) %}{% set x = t | wordwrap(3) %}{% endfor %}",
    "{% set t = '<!--' * 99999 %}{% for a in range(99999) %}{% set x = t | striptags %}{% endfor %}",
    "{% set t = '&#65;' * 99999 %}{% for a in range(99999) %}{% set x = t | striptags %}{% endfor %}",
    "{% set t = '\u03a3\u0301' * 99999 %}{% for a in range(99999) %}{% set x = t | lower %}{% endfor %}",
    "{% set l = range(9999) | list %}{% for a in range(99999) %}{% set x = l | pprint %}{% endfor %}",
    "{% set t = '_' * 60000000 %}{% for a in range(99999) %}{% set x = t | int %}{% endfor %}",
    "{% macro f() %}{{ varargs }}{% endmacro %}{% for a in range(99999) %}{% set x = f(*range(9999)) %}{% endfor %}",
};

#ifdef LAYERBOOST_SANITIZED
constexpr bool watched = true;
#else
constexpr bool watched = false;
#endif

// A character that is looked up in Unicode's tables counts as much for every method.
TEST_F(ChatTemplates, LookUpsOfCharactersCountAlike) {
  const std::pair<const char*, const char*> cases[] = {
      {"\u00e9", "isalpha"},    {"\u00e9", "isalnum"}, {"\u00e9", "islower"},
      {"\u00c9", "isupper"},    {"1", "isdigit"},      {"1", "isnumeric"},
      {"1", "isdecimal"},       {"\u2003", "isspace"}, {"\u00c9\u00e9 ", "istitle"},
      {"\u00e9", "isprintable"}};
  for (const auto& [text, method] : cases) {
    const std::string source = fmt::format("{{{{ ('{}' * 10000).{}() }}}}", text, method);
    EXPECT_EQ(error_of(source, 1'000'000), "no error: True") << source;
    EXPECT_EQ(error_of(source, 150'000), "chat template, line 1: the template runs without end: more than 150000 steps")
        << source;
  }
}

TEST_F(ChatTemplates, NothingRunsForLongWhateverItDoes) {
  if (watched) GTEST_SKIP() << "a second's work takes minutes under sanitizers";
  constexpr std::size_t most_work = jinja::Budget::max_work / 4;
  // Loops alone, in which every step is counted, spend the whole budget in this time.
  const double budget = test::cpu_seconds([] { error_of(endless[0], most_work); }, 2);
  for (const char* const source : endless) {
    std::string error;
    const double seconds = test::cpu_seconds([&] { error = error_of(source, most_work); });
    EXPECT_TRUE(error.starts_with("chat template, line ")) << source << ": " << error.substr(0, 200);
    EXPECT_LT(seconds, 4 * budget) << source;
  }
}

// Some ten times as many messages and tokens as long chats have.
TEST_F(ChatTemplates, LongConversationsAreInsideTheBudget) {
  if (watched) GTEST_SKIP() << "takes minutes under sanitizers";
  ChatInput input;
  std::string words;
  for (int i = 0; i < 40; ++i) words += "some words <b> ";
  for (int i = 0; i < 10000; ++i)
    input.messages.push_back({{"role", i % 2 == 0 ? "user" : "assistant"}, {"content", fmt::format("{}{}", words, i)}});
  std::string book;
  for (int i = 0; i < 2000; ++i) book += words + "\n";
  input.messages.push_back({{"role", "user"}, {"content", book + "the end"}});
  ChatInput short_one;
  short_one.messages.push_back(input.messages[0]);
  const Json golden = read_json(chat_data / "goldens.json");
  for (const Json& one : golden["templates"]) {
    const std::string source = read_file(chat_data / one["template"].get<std::string>());
    if (text_or_refusal(source, one["bos"], one["eos"], short_one) == "refused") continue;  // one only for tools
    const std::string text = text_or_refusal(source, one["bos"], one["eos"], input);
    EXPECT_NE(text.find("the end"), std::string::npos) << one["template"] << ": " << text.substr(0, 200);
  }
}

TEST_F(ChatTemplates, NamespacesMayHoldEachOther) {
  EXPECT_EQ(render("{% set a = namespace() %}{% set a.a = a %}{{ a.a.a is defined }}"), "True");
}

TEST_F(ChatTemplates, MessagesAreGivenTheFormThatTemplatesExpect) {
  ChatInput input;
  input.messages =
      Json::parse(R"([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
    {"role": "assistant", "reasoning": "hm", "tool_calls": [{"function": {"name": "f", "arguments": "{\"x\": [1]}"}},
                                                           {"function": {"name": "g", "arguments": "{x"}},
                                                           {"function": {"name": "h", "arguments": ""}}]}])");
  EXPECT_EQ(render("{{ messages[0].content }}", input), "a\nb");
  EXPECT_EQ(render("{% for m in messages %}{% for p in m.content %}{{ p.text }}|{% endfor %}{% endfor %}", input),
            "a|b|");
  EXPECT_EQ(render("{{ messages[1].tool_calls | map(attribute='function.arguments') | list }}", input),
            "[{'x': [1]}, '{x', {}]");
  EXPECT_EQ(render("{{ messages[1].reasoning_content }} {{ messages[1].thinking }}", input), "hm hm");
  input.messages[0]["content"][1] = Json::parse(R"({"type": "image_url", "image_url": {"url": "x"}})");
  EXPECT_THROW(render("{{ messages[0].content }}", input), Error);
}

TEST_F(ChatTemplates, NoToolCallsAreLeftOut) {
  ChatInput input;
  input.messages = Json::parse(R"([{"role": "assistant", "content": "a", "tool_calls": null},
    {"role": "assistant", "tool_calls": [], "content": "a"},
    {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}])");
  EXPECT_EQ(render("{% for m in messages %}{{ 'tool_calls' in m }} {{ m.content }}|{% endfor %}", input),
            "False a|False a|True |");
}

// Whether the template goes through parts itself, and so gets them, is told by what it reads.
TEST_F(ChatTemplates, PartsAreForTemplatesThatGoThroughThem) {
  ChatInput input;
  input.messages = Json::parse(
      R"([{"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]}])");
  const std::pair<const char*, const char*> cases[] = {
      {"{% for m in messages %}{{ m['content'] }}{% endfor %}", "one\ntwo"},
      {"{% for m in messages %}{% for l in m.content.split('\\n') %}<{{ l }}>{% endfor %}{% endfor %}", "<one><two>"},
      {"{% for m in messages %}{% set content = m.content | trim %}{{ content }}{% endfor %}", "one\ntwo"},
      {"{# for p in content #}{% for m in messages %}{{ m.content }}{% endfor %}", "one\ntwo"},
      {"{% for m in messages %}{% for p in m['content'] %}({{ p.text }}){% endfor %}{% endfor %}", "(one)(two)"},
      {"{% for m in messages %}{% set c = m.content %}{% set d = c or '' %}{% for p in d %}({{ p.text }}){% endfor %}"
       "{% endfor %}",
       "(one)(two)"},
      {"{% for m in messages %}{% for p in m.content | selectattr('type', 'equalto', 'text') %}({{ p['text'] }})"
       "{% endfor %}{% endfor %}",
       "(one)(two)"},
      {"{% macro show(parts) %}{% for p in parts %}({{ p.text }}){% endfor %}{% endmacro %}{% for m in messages %}"
       "{{ show(m.content) }}{% endfor %}",
       "(one)(two)"},
      {"{% macro all(m) %}{{ show(m.content) }}{% endmacro %}{% macro show(parts) %}{% for p in parts %}({{ p.text }})"
       "{% endfor %}{% endmacro %}{% for m in messages %}{{ all(m) }}{% endfor %}",
       "(one)(two)"},
      {"{% for m in messages %}{{ m.content | map(attribute='text') | join('+') }}{% endfor %}", "one+two"},
      {"{% for m in messages %}{{ m.content[0].text }}{% endfor %}", "one"},
      {"{% for m in messages %}{% with c = m.get('content') %}{% for p in c[1:] %}({{ p.text }}){% endfor %}"
       "{% endwith %}{% endfor %}",
       "(two)"},
  };
  for (const auto& [source, text] : cases) EXPECT_EQ(render(source, input), text) << source;
}

// Templates that take parts alone, or texts alone of some roles, or both: whichever the messages have, nothing is lost.
TEST_F(ChatTemplates, ContentsHaveTheFormThatTheTemplateTakesOfTheirRole) {
  constexpr const char* parts_alone =  // as Idefics2's and SmolVLM's
      "{% for m in messages %}{{ m['role'] | capitalize }}{% if m['content'][0]['type'] == 'image' %}{{ ':' }}"
      "{% else %}{{ ': ' }}{% endif %}{% for p in m['content'] %}{% if p['type'] == 'text' %}{{ p['text'] }}"
      "{% elif p['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %};{% endfor %}";
  constexpr const char* parts_of_users =  // as Llama 3.2 Vision's
      "{% if messages[0].role == 'system' %}{% set system = messages[0].content | trim %}{% set messages = "
      "messages[1:] %}System: {{ system }};{% endif %}{% for m in messages %}{% if m.role == 'tool' %}Tool: "
      "{% if m.content is mapping or m.content is iterable %}{{ m.content | tojson }}{% endif %};{% else %}"
      "{{ m.role | capitalize }}: {% if m.content is string %}{{ m.content }}{% else %}{% for p in m.content %}"
      "{% if p.type == 'text' %}{{ p.text }}{% endif %}{% endfor %}{% endif %};{% endif %}{% endfor %}";
  constexpr const char* both =  // as Qwen2-VL's
      "{% for m in messages %}{{ m['role'] | capitalize }}: {% if m['content'] is string %}{{ m['content'] }}{% else %}"
      "{% for p in m['content'] %}{% if p['type'] == 'image' or 'image' in p %}<image>{% elif 'text' in p %}"
      "{{ p['text'] }}{% endif %}{% endfor %}{% endif %};{% endfor %}";
  constexpr const char* texts_alone =
      "{% for m in messages %}{{ m.role | capitalize + ': ' + m.content + ';' }}{% endfor %}";
  constexpr const char* parts_of_users_alone =
      "{% for m in messages %}{{ m.role | capitalize }}: {% if m.role == 'user' %}{% for p in m.content %}{{ p.text }}"
      "{% endfor %}{% else %}{{ m.content + '' }}{% endif %};{% endfor %}";
  constexpr const char* strict =  // refuses all but users and assistants
      "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles') }}"
      "{% endif %}{{ m.role | capitalize }}: {% for p in m.content %}{{ p.text }}{% endfor %};{% endfor %}";
  ChatInput texts, parts;
  for (const char* role : {"system", "user", "assistant", "user", "assistant", "tool", "critic"}) {
    Json message = {{"role", role}, {"content", fmt::format("<{}>", texts.messages.size())}};
    texts.messages.push_back(message);
    message["content"] = Json::array({{{"type", "text"}, {"text", message["content"]}}});
    parts.messages.push_back(message);
  }
  const auto expect_both = [&](const char* source, const std::string& expected) {
    EXPECT_EQ(render(source, texts), expected) << source;
    EXPECT_EQ(render(source, parts), expected) << source;
  };
  const std::string all = "System: <0>;User: <1>;Assistant: <2>;User: <3>;Assistant: <4>;Tool: <5>;Critic: <6>;";
  for (const char* const source : {parts_alone, both, texts_alone}) expect_both(source, all);
  expect_both(parts_of_users,
              "System: <0>;User: <1>;Assistant: <2>;User: <3>;Assistant: <4>;Tool: \"<5>\";Critic: <6>;");
  for (ChatInput* const input : {&texts, &parts}) input->messages.erase(6);
  expect_both(parts_of_users_alone, all.substr(0, all.find("Critic")));
  for (ChatInput* const input : {&texts, &parts}) input->messages.erase(0);
  for (ChatInput* const input : {&texts, &parts}) input->messages.erase(4);
  expect_both(strict, "User: <1>;Assistant: <2>;User: <3>;Assistant: <4>;");
}

// Whatever a template that goes through users' parts makes of other roles' lists, it gets texts there.
TEST_F(ChatTemplates, PrintedListsAreNotTaken) {
  ChatInput input;
  for (const char* role : {"system", "user"})
    input.messages.push_back({{"role", role}, {"content", Json::parse(R"([{"type": "text", "text": "a"}])")}});
  const std::pair<const char*, const char*> cases[] = {
      {"{{ c }}", "a"},
      {"{{ c | tojson }}", "\"a\""},
      {"{{ c | tojson | tojson }}", R"("\"a\"")"},
      {"{{ c | string | replace(\"'\", '') }}", "a"},
      {"{% if c is string %}{{ c }}{% else %}{% for p in c %}{% for k, v in p.items() %}{{ k }}:{{ v }}{% endfor %}"
       "{% endfor %}{% endif %}",
       "a"},
      {"{% if c is string %}<escape>{{ c }}<escape>{% else %}{% for p in c %}{% for k, v in p.items() %}"
       "{{ k }}:<escape>{{ v }}<escape>{% endfor %}{% endfor %}{% endif %}",
       "<escape>a<escape>"},
  };
  for (const auto& [shown, expected] : cases) {
    const std::string source =
        "{% for m in messages %}{% set c = m.content %}{% if m.role == 'user' %}|{% for p in c %}"
        "{{ p.text }}{% endfor %}{% else %}" +
        std::string(shown) + "{% endif %}{% endfor %}";
    EXPECT_EQ(render(source, input), std::string(expected) + "|a") << shown;
  }
}

TEST_F(ChatTemplates, PartsMayLookOtherThanTexts) {
  ChatInput input;
  input.messages =
      Json::parse(R"([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
                                   {"role": "assistant", "content": "c"}])");
  EXPECT_EQ(
      render("{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}{% for p in m.content %}"
             "[{{ p.text }}]{% endfor %}{% endif %}{% endfor %}",
             input),
      "[a][b]c");
}

// A template may show results of tools, or whole conversations, only where there are tools.
TEST_F(ChatTemplates, FormsOfWhatOnlyToolsShow) {
  const std::string users_parts =
      "{% for m in messages %}{% if m.role == 'user' %}{% for p in m.content %}{{ p.text }}"
      "{% endfor %}";
  ChatInput input;
  const Json called = {{"id", "1"}, {"function", {{"name", "f"}, {"arguments", "{}"}}}};
  input.messages = {{{"role", "user"}, {"content", "question"}},
                    {{"role", "assistant"}, {"tool_calls", Json::array({called})}},
                    {{"role", "tool"}, {"tool_call_id", "1"}, {"content", "result"}}};
  input.tools = Json::parse(R"([{"type": "function", "function": {"name": "f", "parameters": {}}}])");
  const std::string results_with_tools =
      users_parts + "{% elif m.role == 'tool' and tools %}|{{ m.content }}{% endif %}{% endfor %}";
  EXPECT_EQ(render(results_with_tools, input), "question|result");
  const std::string results_never = users_parts +
                                    "{% elif m.role == 'tool' and never %}|{{ m.content }}{% endif %}"
                                    "{% endfor %}";
  ChatInput with_never = input;
  with_never.variables = {{"never", true}};
  EXPECT_EQ(render(results_never, with_never), "question|result") << "as it is given";

  TokenizerData data = small_tokenizer_data({});
  data.chat_template = "{{ messages[0].content }}";
  data.tool_template =
      "{% for t in tools %}{{ t.function.name }}:{% endfor %}" + users_parts + "{% endif %}{% endfor %}";
  EXPECT_EQ(ChatTemplate(Tokenizer(std::move(data))).render(input), "f:question");
}

TEST_F(ChatTemplates, NoContentIsNoParts) {
  ChatInput input;
  input.messages = Json::parse(R"([{"role": "user", "content": "a"},
    {"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}])");
  EXPECT_EQ(render("{% for m in messages %}{% for p in m.content %}{{ p.text }}{% endfor %}|{% endfor %}", input),
            "a||");
}

// A template that goes on without end is given up soon while its forms are sought.
TEST_F(ChatTemplates, FormsAreSoughtWithLittleWork) {
  if (watched) GTEST_SKIP() << "a second's work takes minutes under sanitizers";
  const std::string endless_for_all = "{% for m in messages %}{% for p in m.content %}{{ p.text }}{% endfor %}" +
                                      std::string(endless[0]) + "{% endfor %}";
  const double seconds = test::cpu_seconds([&] { (void)ChatTemplate(endless_for_all, "", ""); }, 1);
  const double budget = test::cpu_seconds([] { error_of(endless[0]); }, 1);
  EXPECT_LT(seconds, budget);
}

TEST_F(ChatTemplates, VariablesReachTheTemplate) {
  ChatInput input;
  input.variables = {{"enable_thinking", false}, {"range", 3}};
  input.add_generation_prompt = false;
  EXPECT_EQ(render("{{ enable_thinking }} {{ range }} {{ add_generation_prompt }} {{ tools }}", input),
            "False 3 False None");
}

TEST_F(ChatTemplates, OneTemplateServesManyThreads) {
  const ChatTemplate chat("{% for m in messages %}{{ m.role }}{% set ns = namespace(a=m) %}{{ ns.a.role }}{% endfor %}",
                          "", "");
  ChatInput input;
  for (int i = 0; i < 20; ++i) input.messages.push_back({{"role", "user"}});
  const std::string expected = chat.render(input);
  std::vector<std::thread> threads;
  std::vector<int> same(4, 0);
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) same[static_cast<std::size_t>(t)] += chat.render(input) == expected ? 1 : 0;
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(same, std::vector<int>(4, 50));
}

}  // namespace
}  // namespace layerboost
