"""Write the conversations for tests/it/chat_golden.rs, rendered by Hugging Face's apply_chat_template.

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

# Turns that must alternate, a different name for the assistant, an error message, and the tags that mark answers.
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


def called(name, arguments, **rest):
    return {"type": "function", "function": {"name": name, "arguments": arguments}, **rest}


WEATHER = {"type": "function", "function": {
    "name": "weather", "description": "The weather of a town, in °C", "parameters": {
        "type": "object", "required": ["town"], "properties": {
            "town": {"type": "string", "description": "Its name"},
            "days": {"type": "integer", "default": 1, "minimum": 0.5},
            "items": {"type": "array", "items": {"type": "string", "enum": ["rain", "wind"]}}}}}}
TIME = {"type": "function", "function": {"name": "time", "description": "Now <utc> & \"local\"", "parameters": {}}}
CALLING = [
    {"role": "user", "content": "Weather in Ulm and Ulvila?"},
    {"role": "assistant", "content": "I look.", "reasoning_content": "Two\ncalls.", "tool_calls": [
        called("weather", {"town": "Ulm", "days": 2, "exact": True, "more": None, "z": 1.0, "a": [1e-7, 12345678901234567890]}, id="abc123def"),
        called("weather", {"town": "Ulvila ☃"}, id="abc123xyz")]},
    {"role": "tool", "name": "weather", "tool_call_id": "abc123def", "content": "rain"},
    {"role": "tool", "name": "weather", "tool_call_id": "abc123xyz", "content": "{\"wind\": 3}"},
    {"role": "assistant", "content": "Rain, and wind.", "thinking": "Done?"},
    {"role": "user", "content": "Thanks", "name": "Ann"},
    {"role": "assistant", "content": None, "tool_calls": [called("time", "{\"zone\": \"utc\"}", id="000000001")]},
    {"role": "tool", "name": "time", "tool_call_id": "000000001", "content": {"hour": 7, "zone": "utc"}},
    {"role": "assistant", "content": "Seven.", "reasoning": "  So it is. "},
]
# Conversations with everything that a row may have besides roles and texts.
ROWS = [{"messages": messages} for messages in CONVERSATIONS] + [
    {"messages": CALLING},
    {"messages": CALLING, "tools": [WEATHER, TIME]},
    {"messages": CALLING[:3], "tools": [TIME]},
    {"messages": turns("Hi", "Hello", system="Be brief."), "tools": [WEATHER]},
    {"messages": turns("Hi", "Hello", system="/no_think Be brief."), "chat_template_kwargs": {"enable_thinking": False}},
    {"messages": turns("Hi", "Hello"), "chat_template_kwargs": {"enable_thinking": True, "custom_tools": [WEATHER]}},
    {"messages": turns("Hi", "Hello"), "enable_thinking": False, "tools": []},
    {"messages": turns("Which?", "That one."), "documents": [{"title": "One", "text": "First."}, {"title": "Two", "text": "Second."}]},
    {"messages": [{"role": "user", "content": [{"type": "text", "text": "Part one."}, {"type": "text", "text": " And two."}]},
                  {"role": "assistant", "content": [{"type": "text", "text": "Yes."}]}]},
    {"messages": [{"role": "developer", "content": "Rules."}, {"role": "user", "content": None, "note": 1}, {"role": "assistant", "content": ""}]},
]


def golden(name, template):
    """The rows as rendered by a template, which is a text or a dictionary of named texts."""
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"<unk>": 0}, unk_token="<unk>")), **TOKENS)
    tokenizer.chat_template = template
    cases = []
    for row in ROWS:
        variables = {name: value for name, value in row.items() if name not in ("messages", "chat_template_kwargs")}
        variables |= row.get("chat_template_kwargs", {})
        for prompt in (False, True):
            case = {"row": row, "add_generation_prompt": prompt}
            try:
                case["text"] = tokenizer.apply_chat_template(
                    row["messages"], tokenize=False, add_generation_prompt=prompt, **variables)
            except Exception as error:
                case["refused"] = str(error)
            cases.append(case)
    if isinstance(template, dict):
        template = [{"name": name, "template": text} for name, text in template.items()]
    return {"name": name, "config": {**TOKENS, "chat_template": template}, "cases": cases}


def write(path, goldens):
    """JSON with one line per case."""
    def written(golden):
        head = json.dumps({key: value for key, value in golden.items() if key != "cases"}, ensure_ascii=False)
        cases = ",\n".join(json.dumps(case, ensure_ascii=False) for case in golden["cases"])
        return head[:-1] + ', "cases": [\n' + cases + "\n]}"

    path.write_text("[" + ",\n".join(map(written, goldens)) + "]\n")


# The styles of published templates for tools: ChatML with JSON in tags, and reasoning that is dropped from earlier turns.
TAGGED = r"""{%- if tools %}
    {{- '<|im_start|>system\n' }}
    {%- if messages[0].role == 'system' %}
        {{- messages[0].content + '\n\n' }}
    {%- endif %}
    {{- "# Tools\n<tools>" }}
    {%- for tool in tools %}
        {{- "\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\n</tools><|im_end|>\n" }}
{%- elif messages[0].role == 'system' %}
    {{- '<|im_start|>system\n' + messages[0].content + '<|im_end|>\n' }}
{%- endif %}
{%- set ns = namespace(multi_step_tool=true, last=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and message.content is string %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}
        {%- set content = message.content %}
    {%- else %}
        {%- set content = '' %}
    {%- endif %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\n' + content + '<|im_end|>' + '\n' }}
    {%- elif message.role == "assistant" %}
        {%- set reasoning = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning = message.reasoning_content %}
        {%- elif '</think>' in content %}
            {%- set reasoning = content.split('</think>')[0].rstrip('\n').split('<think>')[-1].lstrip('\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\n') %}
        {%- endif %}
        {%- if loop.index0 > ns.last and (loop.last or reasoning) %}
            {{- '<|im_start|>' + message.role + '\n<think>\n' + reasoning.strip('\n') + '\n</think>\n\n' + content.lstrip('\n') }}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\n' + content }}
        {%- endif %}
        {%- if message.tool_calls %}
            {%- for tool_call in message.tool_calls %}
                {%- if (loop.first and content) or (not loop.first) %}
                    {{- '\n' }}
                {%- endif %}
                {%- if tool_call.function %}
                    {%- set tool_call = tool_call.function %}
                {%- endif %}
                {{- '<tool_call>\n{"name": "' }}
                {{- tool_call.name }}
                {{- '", "arguments": ' }}
                {%- if tool_call.arguments is string %}
                    {{- tool_call.arguments }}
                {%- else %}
                    {{- tool_call.arguments | tojson }}
                {%- endif %}
                {{- '}\n</tool_call>' }}
            {%- endfor %}
        {%- endif %}
        {{- '<|im_end|>\n' }}
    {%- elif message.role == "tool" %}
        {%- if loop.first or (messages[loop.index0 - 1].role != "tool") %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\n<tool_response>\n' }}
        {{- content }}
        {{- '\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}
            {{- '<|im_end|>\n' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\n\n</think>\n\n' }}
    {%- endif %}
{%- endif %}"""

# Headers with a date, tools in the first user turn as indented JSON, and one call per turn.
ONE_CALL = r"""{{- bos_token }}
{%- if custom_tools is defined %}
    {%- set tools = custom_tools %}
{%- endif %}
{%- if not tools_in_user_message is defined %}
    {%- set tools_in_user_message = true %}
{%- endif %}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start|>system<|end|>\n\n" }}
{%- if tools is not none %}
    {{- "Environment: ipython\n" }}
{%- endif %}
{{- "Today: " + date_string + "\n\n" }}
{%- if tools is not none and not tools_in_user_message %}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\n\n" }}
    {%- endfor %}
{%- endif %}
{{- system_message }}
{{- "<|eot|>" }}
{%- if tools_in_user_message and not tools is none %}
    {%- if messages | length != 0 %}
        {%- set first_user_message = messages[0]['content']|trim %}
        {%- set messages = messages[1:] %}
    {%- else %}
        {{- raise_exception("Cannot put tools in the first user message when there is none!") }}
    {%- endif %}
    {{- '<|start|>user<|end|>\n\n' -}}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\n\n" }}
    {%- endfor %}
    {{- first_user_message + "<|eot|>"}}
{%- endif %}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start|>' + message['role'] + '<|end|>\n\n'+ message['content'] | trim + '<|eot|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("This model only supports single tool-calls at once!") }}
        {%- endif %}
        {%- set tool_call = message.tool_calls[0].function %}
        {{- '<|start|>assistant<|end|>\n\n' -}}
        {{- '{"name": "' + tool_call.name + '", ' }}
        {{- '"parameters": ' }}
        {{- tool_call.arguments | tojson }}
        {{- "}" }}
        {{- "<|eot|>" }}
    {%- elif message.role == "tool" or message.role == "ipython" %}
        {{- "<|start|>ipython<|end|>\n\n" }}
        {%- if message.content is mapping or message.content is iterable %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
        {{- "<|eot|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start|>assistant<|end|>\n\n' }}
{%- endif %}"""

# Brackets, calls whose ids have nine characters, alternation that does not count tools, and tools before the last question.
BRACKETS = r"""{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{%- if not tools is defined %}{%- set tools = none %}{%- endif %}
{%- set user_messages = loop_messages | selectattr("role", "equalto", "user") | list %}
{%- set ns = namespace() %}
{%- set ns.index = 0 %}
{%- for message in loop_messages %}
    {%- if not (message.role == "tool" or message.role == "tool_results" or (message.tool_calls is defined and message.tool_calls is not none)) %}
        {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}
            {{- raise_exception("After the optional system message, conversation roles must alternate user/assistant/user/assistant/...") }}
        {%- endif %}
        {%- set ns.index = ns.index + 1 %}
    {%- endif %}
{%- endfor %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if tools is not none and (message == user_messages[-1]) %}
            {{- "[AVAILABLE_TOOLS] [" }}
            {%- for tool in tools %}
                {%- set tool = tool.function %}
                {{- '{"type": "function", "function": {' }}
                {%- for key, val in tool.items() if key != "return" %}
                    {%- if val is string %}
                        {{- '"' + key + '": "' + val + '"' }}
                    {%- else %}
                        {{- '"' + key + '": ' + val|tojson }}
                    {%- endif %}
                    {%- if not loop.last %}{{- ", " }}{%- endif %}
                {%- endfor %}
                {{- "}}" }}
                {%- if not loop.last %}{{- ", " }}{%- else %}{{- "]" }}{%- endif %}
            {%- endfor %}
            {{- "[/AVAILABLE_TOOLS]" }}
        {%- endif %}
        {%- if loop.last and system_message is defined %}
            {{- "[INST] " + system_message + "\n\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " + message["content"] + "[/INST]" }}
        {%- endif %}
    {%- elif message.tool_calls is defined and message.tool_calls is not none %}
        {{- "[TOOL_CALLS] [" }}
        {%- for tool_call in message.tool_calls %}
            {%- set out = tool_call.function|tojson %}
            {{- out[:-1] }}
            {%- if not tool_call.id is defined or tool_call.id|length != 9 %}
                {{- raise_exception("Tool call IDs should be alphanumeric strings with length 9!") }}
            {%- endif %}
            {{- ', "id": "' + tool_call.id + '"}' }}
            {%- if not loop.last %}{{- ", " }}{%- else %}{{- "]" + eos_token }}{%- endif %}
        {%- endfor %}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"]|trim + eos_token }}
    {%- elif message["role"] == "tool_results" or message["role"] == "tool" %}
        {%- if message.content is defined and message.content.content is defined %}
            {%- set content = message.content.content %}
        {%- else %}
            {%- set content = message.content %}
        {%- endif %}
        {{- '[TOOL_RESULTS] {"content": ' + content|string + ", " }}
        {{- '"call_id": "' + message.tool_call_id + '"}[/TOOL_RESULTS]' }}
    {%- else %}
        {{- raise_exception("Only user and assistant roles are supported, with the exception of an initial optional system message!") }}
    {%- endif %}
{%- endfor %}"""

# Macros that turn a schema into a signature, recursion, and responses that follow each other.
SIGNATURES = r"""{%- macro json_to_type(spec) -%}
    {%- set basic = {"string": "str", "number": "float", "integer": "int", "boolean": "bool"} -%}
    {%- if spec.type in basic -%}
        {{- basic[spec.type] -}}
    {%- elif spec.type == "array" and spec["items"] is defined -%}
        {{- "list[" + json_to_type(spec["items"]) + "]" -}}
    {%- elif spec.type is iterable and spec.type is not string -%}
        Union[{%- for t in spec.type %}{{ json_to_type({"type": t}) }}{%- if not loop.last %},{% endif %}{% endfor -%}]
    {%- else -%}
        Any
    {%- endif -%}
{%- endmacro -%}
{{- bos_token + "<|im_start|>system\nFunctions:" }}
{%- for tool in tools or [] %}
    {%- set function = tool.function if tool.function is defined else tool %}
    {{- "\n" + function.name + "(" }}
    {%- for name, spec in (function.parameters.properties or {}).items() %}
        {{- name + ": " + json_to_type(spec) }}
        {%- if not loop.last %}{{- ", " }}{%- endif %}
    {%- endfor %}
    {{- ") - " + function.description + "\n\n" }}
    {{- '{"parameters": ' ~ (function.parameters | tojson) ~ '}' }}
{%- endfor %}
{{- "<|im_end|>\n" }}
{%- for message in messages %}
    {%- if message.role == "user" or message.role == "system" or (message.role == "assistant" and message.tool_calls is not defined) %}
        {{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>' + '\n' }}
    {%- elif message.role == "assistant" %}
        {{- '<|im_start|>' + message.role }}
        {%- for tool_call in message.tool_calls %}
            {{- '\n<tool_call>\n' }}
            {%- if tool_call.function is defined %}{%- set tool_call = tool_call.function %}{%- endif %}
            {{- '{"name": "' ~ tool_call.name ~ '", "arguments": ' ~ (tool_call.arguments|tojson) ~ '}' }}
            {{- '\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\n' }}
    {%- elif message.role == "tool" %}
        {%- if loop.previtem and loop.previtem.role != "tool" %}{{- '<|im_start|>tool\n' }}{%- endif %}
        {{- '<tool_response>\n' ~ message.content }}
        {%- if not loop.last %}{{- '\n</tool_response>\n' }}{%- else %}{{- '\n</tool_response>' }}{%- endif %}
        {%- if not loop.last and loop.nextitem.role != "tool" %}{{- '<|im_end|>' }}{%- elif loop.last %}{{- '<|im_end|>' }}{%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}"""

# A switch for reasoning in the system message, a date, marks of answers, and documents.
SWITCHED = r"""{#- A comment
over lines -#}
{%- if enable_thinking is not defined -%}
{%- set enable_thinking = true -%}
{%- endif -%}
{%- set reasoning_mode = "/think" if enable_thinking else "/no_think" -%}
{{- "<|im_start|>system\n" -}}
{%- if messages[0].role == "system" -%}
  {%- set system_message = messages[0].content -%}
  {%- if "/no_think" in system_message -%}
    {%- set reasoning_mode = "/no_think" -%}
  {%- elif "/think" in system_message -%}
    {%- set reasoning_mode = "/think" -%}
  {%- endif -%}
  {%- set custom_instructions = system_message.replace("/no_think", "").replace("/think", "").rstrip() -%}
{%- endif -%}
{%- set today = strftime_now("%d %B %Y") -%}
{{- "Today Date: " ~ today ~ "\nReasoning Mode: " + reasoning_mode + "\n\n" -}}
{%- if custom_instructions -%}{{- custom_instructions + "\n\n" -}}{%- endif -%}
{%- if tools -%}
  {%- set ns = namespace(xml_tool_string="<tools>\n") -%}
  {%- for tool in tools[:3] -%}
    {%- set ns.xml_tool_string = ns.xml_tool_string ~ (tool | string) ~ "\n" -%}
  {%- endfor -%}
  {{- ns.xml_tool_string + "</tools>" -}}
{%- endif -%}
{%- for document in documents or [] -%}
  {{- "\n[" ~ loop.index ~ "] " ~ document.title ~ ": " ~ document["text"] -}}
{%- endfor -%}
{{- "<|im_end|>\n" -}}
{%- for message in messages -%}
  {%- set content = message.content if message.content is string else "" -%}
  {%- if message.role == "user" -%}
    {{ "<|im_start|>" + message.role + "\n" + content + "<|im_end|>\n" }}
  {%- elif message.role == "assistant" -%}
    {%- generation -%}
    {%- if reasoning_mode == "/think" -%}
      {{ "<|im_start|>assistant\n" + content.lstrip("\n") + "<|im_end|>\n" }}
    {%- else -%}
      {{ "<|im_start|>assistant\n" + "<think>\n\n</think>\n" + content.lstrip("\n") + "<|im_end|>\n" }}
    {%- endif -%}
    {%- endgeneration -%}
  {%- elif message.role == "tool" -%}
    {{ "<|im_start|>" + "user\n" + content + "<|im_end|>\n" }}
  {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
  {{ "<|im_start|>assistant\n" }}
  {%- if reasoning_mode == "/no_think" -%}{{ "<think>\n\n</think>\n" }}{%- endif -%}
{%- endif -%}"""

# The system message before the first question, a different name for the assistant, and content as parts.
PARTS = r"""{{ bos_token }}
{%- if messages[0]['role'] == 'system' -%}
    {%- if messages[0]['content'] is string -%}
        {%- set first_user_prefix = messages[0]['content'] + '

' -%}
    {%- else -%}
        {%- set first_user_prefix = messages[0]['content'][0]['text'] + '

' -%}
    {%- endif -%}
    {%- set loop_messages = messages[1:] -%}
{%- else -%}
    {%- set first_user_prefix = "" -%}
    {%- set loop_messages = messages -%}
{%- endif -%}
{%- for message in loop_messages -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception("Conversation roles must alternate user/assistant/user/assistant/...") }}
    {%- endif -%}
    {%- if (message['role'] == 'assistant') -%}
        {%- set role = "model" -%}
    {%- else -%}
        {%- set role = message['role'] -%}
    {%- endif -%}
    {{ '<start_of_turn>' + role + '
' + (first_user_prefix if loop.first else "") }}
    {%- if message['content'] is string -%}
        {{ message['content'] | trim }}
    {%- elif message['content'] is iterable -%}
        {%- for item in message['content'] -%}
            {%- if item['type'] == 'image' -%}
                {{ '<start_of_image>' }}
            {%- elif item['type'] == 'text' -%}
                {{ item['text'] | trim }}
            {%- endif -%}
        {%- endfor -%}
    {%- else -%}
        {{ raise_exception("Invalid content type") }}
    {%- endif -%}
    {{ '<end_of_turn>
' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{'<start_of_turn>model
'}}
{%- endif -%}"""

TEMPLATES = [("chatml", CHATML), ("headers", HEADERS), ("strict", STRICT), ("thinking", THINKING), ("tagged", TAGGED), ("one-call", ONE_CALL),
             ("brackets", BRACKETS), ("named", {"default": CHATML, "tool_use": SIGNATURES}), ("switched", SWITCHED), ("parts", PARTS),
             ("windows", PARTS.replace("\n", "\r\n"))]
if len(sys.argv) == 1:
    write(HERE / "goldens.json", [golden(*template) for template in TEMPLATES])
else:
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for path in map(Path, sys.argv[2:]):
        write(out / f"{path.stem}.json", [golden(path.stem, path.read_text())])
