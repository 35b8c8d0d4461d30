"""Uses the official OpenAI client as an application would, and fails on the first thing that isn't as that client expects it."""

import asyncio
import json
import re
import sys
import typing
import urllib.request

import openai
import pydantic
from prometheus_client.parser import text_string_to_metric_families

url, key = sys.argv[1:]
model = "smollm2-135m"
client = openai.OpenAI(base_url=url + "/v1", api_key=key, max_retries=0)
question = [{"role": "user", "content": "What is the capital of France? Answer in one sentence."}]
parameters = {"type": "object", "properties": {"city": {"enum": ["Paris", "Rome"]}}, "required": ["city"], "additionalProperties": False}


class Color(pydantic.BaseModel):
    name: typing.Literal["red", "green", "blue"]
    share: int = pydantic.Field(ge=0, le=100)
    tags: list[typing.Literal["warm", "cold"]] = pydantic.Field(max_length=2)


def check(condition, what):
    if not condition:
        sys.exit(f"check_openai.py: {what}")


def refused(error, call, part):
    try:
        call()
    except error as caught:
        check(part in str(caught), f"the message doesn't say {part!r}: {caught}")
        return
    sys.exit(f"check_openai.py: no {error.__name__}")


def completions():
    answer = client.completions.create(model=model, prompt="The capital of France is", max_tokens=8, temperature=0)
    check("Paris" in answer.choices[0].text, f"not Paris: {answer}")
    check(answer.usage.completion_tokens == 8 and answer.choices[0].finish_reason == "length", f"usage: {answer}")
    pieces = list(client.completions.create(model=model, prompt="The capital of France is", max_tokens=8, temperature=0, stream=True,
                                            stream_options={"include_usage": True}))
    check("".join(piece.choices[0].text for piece in pieces if piece.choices) == answer.choices[0].text, "the stream's text differs")
    check(pieces[-1].usage.total_tokens == answer.usage.total_tokens, "the stream's usage differs")
    drawn = client.completions.create(model=model, prompt=["Once", "The"], n=2, max_tokens=12, temperature=1, seed=7)
    check([choice.index for choice in drawn.choices] == [0, 1, 2, 3], "indices")
    again = client.completions.create(model=model, prompt=["Once", "The"], n=2, max_tokens=12, temperature=1, seed=7)
    check([c.text for c in drawn.choices] == [c.text for c in again.choices], "the same seed gave another text")
    stopped = client.completions.create(model=model, prompt="One, two, three,", stop=["six"], max_tokens=40, temperature=0)
    check("five" in stopped.choices[0].text and "six" not in stopped.choices[0].text, f"stop: {stopped}")


def logprobs():
    prompt = "The capital of France is Paris"
    scored = client.completions.create(model=model, prompt=prompt, echo=True, logprobs=2, max_tokens=1, temperature=0).choices[0]
    lists = scored.logprobs
    check(scored.text.startswith(prompt), "echo")
    check(lists.token_logprobs[0] is None and all(value <= 0 for value in lists.token_logprobs[1:]), "log-probabilities")
    check("".join(lists.tokens[:-1]) == prompt, f"tokens: {lists.tokens}")
    check(all(scored.text[offset:].startswith(token) for token, offset in zip(lists.tokens, lists.text_offset)), "offsets")
    chat = client.chat.completions.create(model=model, messages=question, max_tokens=5, temperature=0, logprobs=True, top_logprobs=3)
    content = chat.choices[0].logprobs.content
    check("".join(bytes(entry.bytes).decode() for entry in content) == chat.choices[0].message.content, "bytes")
    check(all(len(entry.top_logprobs) == 3 and entry.logprob == entry.top_logprobs[0].logprob for entry in content), "top")


def chat():
    whole = client.chat.completions.create(model=model, messages=question, max_completion_tokens=40, temperature=0)
    check("Paris" in whole.choices[0].message.content, f"not Paris: {whole}")
    check(whole.choices[0].finish_reason == "stop", f"it didn't stop: {whole}")
    with client.chat.completions.stream(model=model, messages=question, max_completion_tokens=40, temperature=0) as stream:
        final = stream.get_final_completion()
    check(final.choices[0].message.content == whole.choices[0].message.content, "the stream's text differs")
    check(final.choices[0].message.role == "assistant", "role")


def forms():
    asked = dict(model=model, messages=[{"role": "user", "content": "A color, as JSON."}], temperature=0, max_completion_tokens=100)
    parsed = client.chat.completions.parse(**asked, response_format=Color).choices[0]  # sends a schema, and reads the answer by it
    check(isinstance(parsed.message.parsed, Color) and parsed.finish_reason == "stop", f"parse: {parsed}")
    with client.chat.completions.stream(**asked, response_format=Color) as stream:
        final = stream.get_final_completion().choices[0].message
    check(final.parsed == parsed.message.parsed, f"the stream's object differs: {final}")
    loose = client.chat.completions.create(**asked, response_format={"type": "json_object"}).choices[0]
    check(loose.finish_reason == "length" or isinstance(json.loads(loose.message.content), dict), f"json_object: {loose}")
    schema = Color.model_json_schema()

    def answer(**fields):
        return client.chat.completions.create(**asked, extra_body=fields).choices[0].message.content

    for fields in ({"structured_outputs": {"json": schema}}, {"guided_json": schema}, {"json_schema": schema}):
        check(Color.model_validate_json(answer(**fields)) == final.parsed, f"another object by {list(fields)}")
    check(answer(structured_outputs={"choice": ["red", "green"]}) in ("red", "green"), "choice")
    check(re.fullmatch("#[0-9a-f]{6}", answer(structured_outputs={"regex": "#[0-9a-f]{6}"})), "regex")
    drawn = client.completions.create(model=model, prompt="A number:", n=8, max_tokens=9, extra_body={"guided_regex": " [1-9]{3}"})
    check(all(re.fullmatch(" [1-9]{3}", choice.text) for choice in drawn.choices), f"guided_regex: {drawn}")
    wrong = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object", "if": {}}}}
    refused(openai.BadRequestError, lambda: client.chat.completions.create(**asked, response_format=wrong), "\"if\"")


def tokens():
    def converted(path, body):
        headers = {"Content-Type": "application/json", "Authorization": "Bearer " + key}
        return json.load(urllib.request.urlopen(urllib.request.Request(url + path, json.dumps(body).encode(), headers)))

    prompt = "The capital of France is"

    def complete(prompt=prompt, **fields):
        return client.completions.create(model=model, prompt=prompt, max_tokens=40, temperature=0, extra_body=fields).choices[0]

    rome = converted("/tokenize", {"prompt": " Rome", "return_token_strs": True})
    check(rome["token_strs"] == ["\u0120Rome"], f"tokens as strings: {rome}")
    check(set(complete(allowed_token_ids=rome["tokens"]).text.split()) == {"Rome"}, "allowed_token_ids")
    check("Paris" in complete().text and "Paris" not in complete(bad_words=["Paris"]).text, "bad_words")
    counted = complete("One, two, three,", stop=["six"], include_stop_str_in_output=True)
    check(counted.text.endswith("six") and counted.finish_reason == "stop", f"include_stop_str_in_output: {counted}")
    ids = complete(return_token_ids=True)
    check(converted("/detokenize", {"tokens": ids.prompt_token_ids + ids.token_ids})["prompt"] == prompt + ids.text, "return_token_ids")
    ranked = complete(prompt_logprobs=1).prompt_logprobs
    check(ranked[0] is None and [str(token) for token in ids.prompt_token_ids][1:] == [next(iter(entry)) for entry in ranked[1:]], f"{ranked}")
    check(all(1 in [token["rank"] for token in entry.values()] for entry in ranked[1:]), f"ranks: {ranked}")
    shown = client.chat.completions.create(model=model, messages=question, max_tokens=40, temperature=0, extra_body={
        "skip_special_tokens": False, "include_stop_str_in_output": True}).choices[0].message.content
    check(shown.endswith("<|im_end|>"), f"skip_special_tokens: {shown}")
    begun = [*question, {"role": "assistant", "content": "It is the city of"}]
    more = {"continue_final_message": True, "add_generation_prompt": False, "echo": True}
    answer = client.chat.completions.create(model=model, messages=begun, max_tokens=8, temperature=0, extra_body=more).choices[0].message.content
    check(answer.startswith("It is the city of Paris"), f"continue_final_message: {answer}")


def tools():
    tool = {"type": "function", "function": {"name": "weather", "strict": True, "parameters": parameters}}
    other = {"type": "function", "function": {"name": "time", "strict": True, "parameters": parameters}}
    asked = dict(model=model, messages=[{"role": "user", "content": "The weather in Paris?"}], temperature=0, max_completion_tokens=200)
    choice = {"type": "function", "function": {"name": "weather"}}
    named = client.chat.completions.create(**asked, tools=[other, tool], tool_choice=choice).choices[0]
    calls = named.message.tool_calls
    check(named.finish_reason == "tool_calls" and named.message.content is None and len(calls) == 1, f"a named tool: {named}")
    check(calls[0].function.name == "weather" and json.loads(calls[0].function.arguments)["city"] in ("Paris", "Rome"), f"call: {calls}")
    with client.chat.completions.stream(**asked, tools=[other, tool], tool_choice=choice) as stream:  # puts pieces together, and parses
        final = stream.get_final_completion().choices[0]
    check(final.finish_reason == "tool_calls", f"the stream's end: {final}")
    check(final.message.tool_calls[0].function.arguments == calls[0].function.arguments, f"the stream's call differs: {final}")
    check(final.message.tool_calls[0].function.parsed_arguments["city"] in ("Paris", "Rome"), "parsed arguments")
    required = client.chat.completions.create(**asked, tools=[other, tool], tool_choice="required", parallel_tool_calls=False).choices[0]
    check(len(required.message.tool_calls) == 1, f"one call: {required}")
    without = client.chat.completions.create(**asked, tools=[tool], tool_choice="none").choices[0]
    check(without.message.tool_calls is None and without.message.content, f"without: {without}")
    told = client.chat.completions.create(model=model, temperature=0, max_completion_tokens=20, messages=[
        *asked["messages"], named.message, {"role": "tool", "tool_call_id": calls[0].id, "content": "Rain."}])
    check(told.choices[0].message.content, f"after a call: {told}")
    # This model's template doesn't tell it of tools.
    refused(openai.BadRequestError, lambda: client.chat.completions.create(**asked, tools=[tool]), "template")
    choice["function"]["name"] = "news"
    refused(openai.BadRequestError, lambda: client.chat.completions.create(**asked, tools=[tool], tool_choice=choice), "news")


def responses():
    asked = dict(model=model, instructions="Answer in one sentence.", input="What is the capital of France?", temperature=0)
    whole = client.responses.create(**asked, max_output_tokens=40)
    check("Paris" in whole.output_text and whole.status == "completed", f"not Paris: {whole}")
    check(whole.store is False and whole.output[0].content[0].annotations == [], f"response: {whole}")
    chat = client.chat.completions.create(model=model, temperature=0, max_completion_tokens=40, messages=[
        {"role": "system", "content": asked["instructions"]}, {"role": "user", "content": asked["input"]}])
    check(chat.choices[0].message.content == whole.output_text, "chat's text differs")
    check(whole.usage.input_tokens == chat.usage.prompt_tokens and whole.usage.output_tokens == chat.usage.completion_tokens, "usage")
    with client.responses.stream(**asked, max_output_tokens=40) as stream:  # puts events together itself, and minds their order
        events = list(stream)
        final = stream.get_final_response()
    check(final.output_text == whole.output_text and final.usage.total_tokens == whole.usage.total_tokens, "the stream's text differs")
    check([event.sequence_number for event in events] == list(range(len(events))), "sequence numbers")
    check("".join(event.delta for event in events if event.type == "response.output_text.delta") == whole.output_text, "deltas")
    cut = list(client.responses.create(**asked, max_output_tokens=3, stream=True))
    check(cut[0].type == "response.created" and cut[-1].type == "response.incomplete", f"events: {[event.type for event in cut]}")
    check(cut[-1].response.incomplete_details.reason == "max_output_tokens", "incomplete")
    again = client.responses.create(model=model, temperature=0, max_output_tokens=20, input=[
        {"role": "user", "content": asked["input"]}, *whole.output, {"role": "user", "content": [{"type": "input_text", "text": "And of Italy?"}]}])
    check(again.output_text, f"a conversation: {again}")
    colored = dict(model=model, input="A color, as JSON.", text_format=Color, temperature=0, max_output_tokens=100)
    parsed = client.responses.parse(**colored)
    check(parsed.status == "completed" and isinstance(parsed.output_parsed, Color), f"parse: {parsed}")
    with client.responses.stream(**colored) as stream:
        check(stream.get_final_response().output_parsed == parsed.output_parsed, "the stream's object differs")
    tool = {"type": "function", "name": "weather", "strict": True, "parameters": parameters}
    calling = dict(model=model, input="The weather in Paris?", tools=[tool], tool_choice="required", parallel_tool_calls=False,
                   temperature=0, max_output_tokens=60)
    call = client.responses.create(**calling).output[0]
    check(call.type == "function_call" and json.loads(call.arguments)["city"] in ("Paris", "Rome"), f"call: {call}")
    with client.responses.stream(**calling) as stream:
        events = list(stream)
        final = stream.get_final_response().output[0]
    check((final.name, final.arguments) == (call.name, call.arguments), f"the stream's call differs: {final}")
    check(final.parsed_arguments["city"] in ("Paris", "Rome"), f"parsed arguments: {final}")
    check("".join(event.delta for event in events if event.type == "response.function_call_arguments.delta") == call.arguments, "deltas")
    told = client.responses.create(model=model, temperature=0, max_output_tokens=20, input=[
        {"role": "user", "content": "The weather in Paris?"}, call, {"type": "function_call_output", "call_id": call.call_id, "output": "Rain."}])
    check(told.output[0].type == "message", f"after a call: {told}")
    scored = client.responses.create(**asked, max_output_tokens=5, include=["message.output_text.logprobs"], top_logprobs=2)
    check(len(scored.output[0].content[0].logprobs) == 5, f"log-probabilities: {scored}")
    for name, value in (("store", True), ("previous_response_id", "resp_1"), ("background", True), ("tools", [{"type": "web_search"}])):
        refused(openai.BadRequestError, lambda: client.responses.create(**asked, **{name: value}), name)


def embeddings():
    texts = ["A cat sat on the mat.", "A kitten lay on the rug.", "The bank raised its interest rates by a quarter point."]
    listed = client.embeddings.create(model=model, input=texts)  # asks for base64, and reads it
    vectors = [entry.embedding for entry in listed.data]
    check([entry.index for entry in listed.data] == [0, 1, 2] and listed.object == "list", f"indices: {listed}")
    check(all(abs(sum(x * x for x in vector) - 1) < 1e-5 for vector in vectors), "a length isn't 1")
    product = lambda a, b: sum(x * y for x, y in zip(a, b))
    check(product(vectors[0], vectors[1]) > product(vectors[0], vectors[2]), "a cat is nearer to a bank than to a kitten")
    check(listed.usage.prompt_tokens == listed.usage.total_tokens > 20, f"usage: {listed.usage}")
    numbers = client.embeddings.create(model=model, input=texts[0], encoding_format="float", user="somebody").data[0].embedding
    check(max(abs(x - y) for x, y in zip(numbers, vectors[0])) < 0.02, "numbers differ from bytes")  # bf16, in another batch
    many = client.embeddings.create(model=model, input=[f"Number {i}" for i in range(500)])
    check(len(many.data) == 500 and len({tuple(entry.embedding) for entry in many.data}) == 500, "500 texts")
    tokens = client.embeddings.create(model=model, input=[[1, 2, 3], [4, 5]])
    check(tokens.usage.prompt_tokens == 5, f"tokens: {tokens.usage}")
    check(client.embeddings.create(model=model, input="a", dimensions=len(numbers)).data, "the model's own dimensions")
    refused(openai.BadRequestError, lambda: client.embeddings.create(model=model, input=""), "empty")
    refused(openai.BadRequestError, lambda: client.embeddings.create(model=model, input=[]), "input")
    refused(openai.BadRequestError, lambda: client.embeddings.create(model=model, input=" a" * 9000), "8192")
    refused(openai.BadRequestError, lambda: client.embeddings.create(model=model, input="a", dimensions=5), "dimensions")


def errors():
    refused(openai.NotFoundError, lambda: client.completions.create(model="gpt-9", prompt="a"), "smollm2-135m")
    refused(openai.BadRequestError, lambda: client.completions.create(model=model, prompt="a", max_tokens=9000), "8192")
    refused(openai.BadRequestError, lambda: client.completions.create(model=model, prompt="a", temperature=-1), "temperature")
    refused(openai.BadRequestError, lambda: client.chat.completions.create(model=model, messages=[]), "messages")
    other = openai.OpenAI(base_url=url + "/v1", api_key="wrong", max_retries=0)
    refused(openai.AuthenticationError, lambda: other.completions.create(model=model, prompt="a"), "API key")
    check([entry.id for entry in client.models.list()] == [model], "models")


async def many(count):
    asker = openai.AsyncOpenAI(base_url=url + "/v1", api_key=key, max_retries=0)

    async def ask(i):
        text = ""
        stream = await asker.completions.create(model=model, prompt=f"Number {i} is", max_tokens=16, temperature=0, stream=True)
        async for piece in stream:
            text += piece.choices[0].text
            if i % 7 == 3:  # some leave early
                await stream.close()
                return None
        return text

    texts = await asyncio.gather(*(ask(i) for i in range(count)))
    check(all(text for i, text in enumerate(texts) if i % 7 != 3), "an empty text")


def metrics():
    text = urllib.request.urlopen(url + "/metrics").read().decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    for name in ("vllm:num_requests_running", "vllm:num_requests_waiting", "vllm:kv_cache_usage_perc", "vllm:prefix_cache_hits",
                 "vllm:request_success", "vllm:time_to_first_token_seconds", "vllm:inter_token_latency_seconds",
                 "vllm:e2e_request_latency_seconds", "layerboost_info", "layerboost_cache_used_bytes"):
        check(name in families and families[name].samples, f"/metrics has no {name}")
    histogram = families["vllm:time_to_first_token_seconds"]
    check(histogram.type == "histogram", "histogram")


for step in (completions, logprobs, chat, forms, tokens, tools, responses, embeddings, errors, lambda: asyncio.run(many(60)), metrics):
    step()
print(f"openai {openai.__version__}: completions, log-probabilities, chat, forms, tokens, tools, responses, embeddings, errors, 60 at once, metrics: as expected")
