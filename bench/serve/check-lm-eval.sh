#!/usr/bin/env bash
# lm-evaluation-harness' local-completions against `layerboost serve`, and `layerboost eval`, on the same items of a task file of multiple
# choice: every item must be answered alike. Then its local-chat-completions, which are asked for the letter of the choice and held to letters,
# and once more to JSON with a letter by a schema: every answer must be one.
#   bench/serve/check-lm-eval.sh TASK.jsonl [LIMIT [MODEL]]      default: 100 items, smollm2-135m
# The first call makes a virtual environment in the cache.
set -euo pipefail
[ $# -ge 1 ] || { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$root/bench/serve/common.sh"
task=$(realpath "$1")
limit=${2:-100}
model=${3:-smollm2-135m}
make_venv
start_server "$model" --name it --precision f32
mkdir "$work/tasks"
head -n "$limit" "$task" >"$work/items.jsonl"
# The harness puts the space before the choices itself: acc_norm divides by their lengths without it.
"$venv/bin/python" -c 'import json, sys
for line in sys.stdin:
    item = json.loads(line)
    item["choices"] = [choice.removeprefix(" ") for choice in item["choices"]]
    item["letter"] = "ABCDEFGH"[item["gold"]]
    item["question"] = "\n".join([item["context"], *map(". ".join, zip("ABCDEFGH", item["choices"])), "Answer with one letter."])
    print(json.dumps(item))' <"$work/items.jsonl" >"$work/without-spaces.jsonl"
cat >"$work/tasks/items.yaml" <<YAML
task: items
dataset_path: json
dataset_kwargs: {data_files: {test: $work/without-spaces.jsonl}}
output_type: multiple_choice
test_split: test
doc_to_text: context
doc_to_choice: choices
doc_to_target: gold
target_delimiter: " "
metric_list: [{metric: acc}, {metric: acc_norm}]
metadata: {version: 1}
YAML
# A task of chats that are held to a form: its name, and what asks for the form.
letters_task() {
  cat >"$work/tasks/$1.yaml" <<YAML
task: $1
dataset_path: json
dataset_kwargs: {data_files: {test: $work/without-spaces.jsonl}}
output_type: generate_until
test_split: test
doc_to_text: question
doc_to_target: letter
generation_kwargs: {until: [], max_gen_toks: 32, temperature: 0, $2}
metric_list: [{metric: exact_match}]
metadata: {version: 1}
YAML
}
letters="[A, B, C, D, E, F, G, H]"
letters_task letters "structured_outputs: {choice: $letters}"
letters_task json_letters "response_format: {type: json_schema, json_schema: {name: answer, schema:
  {type: object, properties: {letter: {enum: $letters}}, required: [letter], additionalProperties: false}}}"
"$venv/bin/lm_eval" --model local-completions --tasks items --include_path "$work/tasks" --output_path "$work/out" --log_samples --batch_size 8 \
  --model_args "model=it,base_url=$url/v1/completions,tokenizer_backend=remote,num_concurrent=4,max_length=2048" >"$work/lm-eval.log" 2>&1 ||
  { tail -20 "$work/lm-eval.log" >&2; exit 1; }
"$venv/bin/lm_eval" --model local-chat-completions --tasks letters,json_letters --include_path "$work/tasks" --output_path "$work/out" --log_samples \
  --apply_chat_template --model_args "model=it,base_url=$url/v1/chat/completions,num_concurrent=4" >"$work/lm-eval.log" 2>&1 ||
  { tail -20 "$work/lm-eval.log" >&2; exit 1; }
"$binary" eval "$model" --tasks "$work/items.jsonl" --precision f32 --json "$work/eval.json" >"$work/eval.log" 2>&1 ||
  { tail -5 "$work/eval.log" >&2; exit 1; }
"$venv/bin/python" "$root/bench/serve/compare_lm_eval.py" "$work/out" "$work/eval.json"
