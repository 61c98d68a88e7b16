"""Write the conversations for tests/chat_golden.rs, rendered by Hugging Face's apply_chat_template.

    python make.py                       writes goldens.json, with templates written for this test that use the features of real ones
    python make.py OUT TEMPLATE.jinja .. renders the same conversations with real templates, into the folder OUT; the test reads the
                                         folder that POCKETLLM_CHAT_GOLDEN names

Needs `transformers`. The date is fixed to 26 July 2024.
"""
import datetime
import json
import sys
from pathlib import Path

from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast
from transformers.utils import chat_template_utils


class Day(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 26)


chat_template_utils.datetime = Day
HERE = Path(__file__).parent
TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}

# ChatML with a default system turn.
CHATML = """{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system
Be brief.<|im_end|>
' }}{% endif %}{{'<|im_start|>' + message['role'] + '
' + message['content'] + '<|im_end|>' + '
'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant
' }}{% endif %}"""

# Headers, a bos token, trimmed contents, a loop that skips the first message, and a date only if there is a clock.
HEADERS = """{{- bos_token }}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|header|>system<|end|>\\n\\n" }}
{%- if tools is iterable and tools | length > 0 %}
    {{- "Tools: " + (tools | tojson) + "\\n" }}
{%- endif %}
{{- {'roles': messages | map(attribute='role') | list, 'none': none, 'n': 1, 'x': true, 'text': messages[0].content, 'empty': []} | tojson }}
{{- [{'a': [1, 2], 'b': {}}, 'é "<&'] | tojson(indent=2) }}
{{- "Date: " + date_string + "\\n\\n" }}
{{- system_message }}
{{- "<|eot|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or 'tool_calls' in message) %}
        {{- '<|header|>' + message['role'] + '<|end|>\\n\\n'+ message['content'] | trim + '<|eot|>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|header|>assistant<|end|>\\n\\n' }}
{%- endif %}
"""

# Turns that must alternate, another name for the assistant, an error message, and the tags that mark answers.
STRICT = """{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}
{% for message in messages %}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception('Roles must alternate user/assistant/user/assistant/...') }}
    {%- endif -%}
    {%- if message['role'] == 'assistant' -%}{%- set role = 'model' -%}{%- else -%}{%- set role = message['role'] -%}{%- endif -%}
    {{ '<turn>' + role + '\\n' }}
    {%- if role == 'model' -%}{% generation %}{{ message['content'] | trim + '<end>' }}{% endgeneration %}{%- else -%}{{ message['content'] | trim + '<end>' }}{%- endif -%}
    {{ '\\n' }}
{%- endfor %}
{% if add_generation_prompt %}
{{ '<turn>model\\n' }}
{%- endif %}
"""

# Reasoning that is dropped from earlier turns, with a namespace, a reversed loop, and Python's string methods.
THINKING = """{%- set ns = namespace(last=messages|length - 1, open=true) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.open and message.role == "user" and message.content is string and not(message.content.startswith('<tool>') and message.content.endswith('</tool>')) %}
        {%- set ns.open = false %}
        {%- set ns.last = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set content = message.content %}
        {%- set thought = '' %}
        {%- if message.thought is defined and message.thought is not none %}
            {%- set thought = message.thought %}
        {%- elif '</think>' in message.content %}
            {%- set content = message.content.split('</think>')[-1].lstrip('\\n') %}
            {%- set thought = message.content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {%- if loop.index0 > ns.last and (loop.last or thought) %}
            {{- '<|im_start|>assistant\\n<think>\\n' + thought.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
        {%- else %}
            {{- '<|im_start|>assistant\\n' + content }}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}
{%- endif %}"""


def turns(*contents, system=None):
    roles = ["user", "assistant"] * len(contents)
    messages = [{"role": r, "content": c} for r, c in zip(roles, contents)]
    return ([{"role": "system", "content": system}] if system is not None else []) + messages


CONVERSATIONS = [
    turns("Hi"),
    turns("Hi", "Hello there."),
    turns("What is 2 + 2?", "4", "And 3 + 3?", "6"),
    turns("  spaces around \n", "\n kept or cut? \n\n", "so", "and so"),
    turns("Name a colour.", "<think>\nRed is one.\n</think>\n\nRed", "Another", "<think>\nblue\n</think>\n\nBlue"),
    turns("Summarise: a \"quoted\" <b>text</b> & {{ braces }} {% if x %}", "Done.", system="You are a helpful assistant."),
    turns("ü ☃ 漢字", "é", system=" Answer in one word. "),
    turns("", "empty question"),
    [{"role": "user", "content": "two"}, {"role": "user", "content": "questions"}, {"role": "assistant", "content": "x"}],
    [{"role": "assistant", "content": "I begin."}, {"role": "user", "content": "ok"}],
]


def golden(name, template):
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"<unk>": 0}, unk_token="<unk>")), **TOKENS)
    cases = []
    for messages in CONVERSATIONS:
        for prompt in (False, True):
            case = {"messages": messages, "add_generation_prompt": prompt}
            try:
                case["text"] = tokenizer.apply_chat_template(
                    messages, chat_template=template, tokenize=False, add_generation_prompt=prompt)
            except Exception as error:
                case["refused"] = str(error)
            cases.append(case)
    return {"name": name, "config": {**TOKENS, "chat_template": template}, "cases": cases}


def write(path, goldens):
    path.write_text(json.dumps(goldens, ensure_ascii=False, indent=1) + "\n")


if len(sys.argv) == 1:
    write(HERE / "goldens.json", [golden(n, t) for n, t in
                                  [("chatml", CHATML), ("headers", HEADERS), ("strict", STRICT), ("thinking", THINKING)]])
else:
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for path in map(Path, sys.argv[2:]):
        write(out / f"{path.stem}.json", [golden(path.stem, path.read_text())])
