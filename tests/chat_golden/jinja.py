"""Write small templates for tests/it/chat_golden.rs, rendered by Hugging Face's environment of Jinja2.

    python jinja.py                      writes jinja.json

Needs `transformers`. The date is fixed to 26 July 2024. Templates that Jinja2 refuses are left out, unless a model may contain them.
"""
import datetime
import json
from pathlib import Path

from transformers.utils import chat_template_utils


class Day(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 26)


chat_template_utils.datetime = Day

ROW = {
    "messages": [{"role": "user", "content": " Hi there, Bob "}, {"role": "assistant", "content": "Hello", "tool_calls": [
        {"function": {"name": "f", "arguments": {"b": 1, "a": [1.5, True, None, "é<"]}}}]}],
    "n": 3, "x": 2.5, "zero": 0, "none": None, "yes": True, "words": ["b", "a", "B", "a"], "text": "one two  two\nthree\tfour",
    "map": {"k": "v", "items": [1, 2], "get": "got", "n": 1}, "empty": [], "nested": [[1, 2], [3]], "url": "a/b/c.d.e", "big": 1e20, "tiny": 1.5e-7,
    "rows": [{"g": "x", "v": 2}, {"g": "y", "v": 1}, {"g": "x", "v": 3}],
}

CODES = "aAbBcCdDeFgGhHIjklmMnpPrRStTuUVwWxXyYzZ%f"
TEMPLATES = [
    *("{{ strftime_now('%s') }}" % ("%" + code) for code in CODES),
    *("{{ strftime_now('%s') }}" % format for format in
      ["%-d", "%-m", "%-H", "%-I", "%-j", "%_d", "%_m", "%_H", "%_j", "%0e", "%^a", "%^B", "%^b", "%-y", "%d %b %Y", "%A, %-d %B %Y at %I:%M %p", "plain", "", "100%%"]),
    # Texts.
    *("{{ text.%s }}" % call for call in
      ["removeprefix('one')", "removeprefix('two')", "removesuffix('four')", "removesuffix('x')", "split()", "split(None, 1)", "split(' ')", "split(' ', 1)",
       "split(maxsplit=2)", "split(sep='two')", "split('two', maxsplit=1)", "rsplit()", "rsplit(None, 1)", "rsplit(' ', 1)", "rsplit('two', 1)", "rsplit('t', maxsplit=2)",
       "partition(' ')", "partition('x')", "rpartition('two')", "rpartition('x')", "splitlines()", "splitlines(True)", "splitlines(keepends=True)", "strip()",
       "strip('oner')", "lstrip('on')", "rstrip('ruof')", "startswith('one')", "startswith(('x', 'one'))", "startswith('two', 4)", "endswith('four')",
       "endswith(('x', 'r'))", "endswith('two', 0, 7)", "find('two')", "find('two', 5)", "find('x')", "rfind('two')", "rfind('two', 0, 8)", "index('two')",
       "rindex('two')", "count('two')", "count('o', 4)", "count('o', 0, 5)", "replace('two', '2')", "replace('two', '2', 1)", "upper()", "lower()",
       "title()", "capitalize()", "swapcase()", "casefold()", "isdigit()", "isalpha()", "isalnum()", "isspace()", "isupper()", "islower()",
       "isdecimal()", "isnumeric()", "isascii()", "zfill(30)", "ljust(30)", "rjust(30, '.')", "center(31, '-')", "center(30, '-')", "format()",
       "join(['a', 'b'])", "encode()", "nothing()", "split('')", "index('x')", "istitle()", "isidentifier()", "expandtabs()"]),
    "{{ 'tool_call'.title() }}|{{ 'get_weather.v2'.title() }}|{{ \"it's O'NEIL mc-donald 3rd éa\".title() }}|{{ ''.title() }}|{{ 'tool_call x-y' | title }}",
    "{{ '-7'.zfill(5) }}|{{ '+7'.zfill(5) }}|{{ 'ab'.center(5) }}|{{ 'a'.center(4, '*') }}",
    "{{ '{} and {}'.format('a', 1) }}|{{ '{0}{1}{0}'.format('a', 'b') }}|{{ '{x}'.format(x=3) }}",
    "{{ '%s-%d' % ('a', 3) }}", "{{ '%s' % 'a' }}", "{{ '%s and %s' | format('a', 2) }}",
    "{{ 'a' ~ 1 ~ none ~ true ~ 1.0 ~ [1, 'x'] }}", "{{ 'ab' * 3 }}", "{{ 'abc'[0] }}{{ 'abc'[-1] }}{{ 'abc'[1:] }}{{ 'abc'[:-1] }}{{ 'abc'[::-1] }}",
    "{{ 'a' in text }}{{ 'one' in text }}{{ 'x' not in text }}", "{{ 'a' < 'b' }}{{ 'a' == 'a' }}{{ 1 < 2 < 3 }}{{ 3 > 2 > 2 }}",
    "{{ 'a\\nb\\t\\\\\\'\\\"' }}", "{{ 'a\\u00e9\\x41' }}", "{{ 'a\\d' }}", "{{ 'a' 'b' }}", "{{ \"it's\" }}",
    "{{ '  é\\u00a0x\\x1f ' | trim }}|", "{{ ' a '.strip() }}|{{ '\\x1ca\\x1d'.strip() }}|", "{{ 'a\\x0bb\\x0cc\\x85d\\u2028e'.splitlines() }}", "{{ 'a\\r\\nb\\rc'.splitlines() }}",
    # How values are printed.
    "{{ none }}|{{ true }}|{{ false }}|{{ 1 }}|{{ 1.0 }}|{{ 1.5 }}|{{ 1e3 }}|{{ undefined }}|", "{{ big }}|{{ tiny }}|{{ 1e16 }}|{{ 1e15 }}|{{ 0.0001 }}|{{ 0.00001 }}|{{ x }}|{{ -x }}",
    "{{ ['a', 1, none, true, 1.5, {'k': \"it's\"}] }}", "{{ {'a': 1, 2: 'b'} }}", "{{ (1, 'a') }}|{{ (1,) }}|{{ () }}", "{{ messages[1].tool_calls }}", "{{ map }}", "{{ 'a\\n\\'b' | list }}",
    "{{ ['a\\n', 'é', '\\\\', '\"'] }}", "{{ 7 / 2 }}|{{ 6 / 2 }}|{{ 7 // 2 }}|{{ -7 // 2 }}|{{ 7 % 3 }}|{{ -7 % 3 }}|{{ 2 ** 3 }}|{{ 2 ** -1 }}|{{ 7.5 // 2 }}", "{{ 1 + 2.0 }}|{{ 3 - 1 }}|{{ 2 * 1.5 }}|{{ true + 1 }}",
    "{{ 10 | string + 'x' }}|{{ none | string }}|{{ true | string }}|{{ [1] | string }}|{{ 1.0 | string }}", "{{ '5' | int + 1 }}|{{ 'x' | int }}|{{ '2.7' | int }}|{{ 2.7 | int }}|{{ '2.5' | float }}|{{ 'x' | int(9) }}",
    "{{ 2.567 | round(1) }}|{{ 2.5 | round }}|{{ 3.5 | round }}|{{ 2.1 | round(0, 'ceil') }}|{{ -3 | abs }}",
    # tojson.
    *("{{ messages[1].tool_calls | tojson%s }}" % arguments for arguments in
      ["", "()", "(indent=2)", "(indent=0)", "(indent=none)", "(indent='--')", "(ensure_ascii=true)", "(ensure_ascii=False, indent=1)", "(separators=(',', ':'))", "(indent=2, separators=(',', ':'))",
       "(sort_keys=true)", "(true)", "(true, 2)", "(unknown=1)"]),
    "{{ {} | tojson }}|{{ [] | tojson(indent=2) }}|{{ {'a': []} | tojson(indent=2) }}|{{ 'a\"\\n\\u007f<>&\\'/' | tojson }}", "{{ {1: 2, none: 3, true: 4, 1.5: 5} | tojson }}", "{{ [big, tiny, x, n, 1e16, 1.0] | tojson }}",
    "{{ missing | tojson }}", "{{ (1, 2) | tojson }}|{{ 'a' | tojson }}|{{ none | tojson }}|{{ true | tojson }}", "{{ '😀é' | tojson(ensure_ascii=true) }}", "{{ map.items() | list | tojson }}", "{{ range(3) | list | tojson }}",
    # Loops.
    "{% for w in words %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.cycle('x', 'y') }}{{ loop.changed(w) }} {% endfor %}",
    "{% for w in words if w != 'B' %}{{ loop.index }}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.length }}{{ loop.last }} {% endfor %}", "{% for w in words %}{% if loop.previtem is defined and loop.previtem == 'b' %}<{{ w }}>{% endif %}{% endfor %}",
    "{% for w in empty %}x{% else %}none{% endfor %}", "{% for k, v in map.items() %}{{ k }}={{ v }};{% endfor %}", "{% for k, v in map | items %}{{ k }}={{ v }};{% endfor %}", "{% for k in map %}{{ k }}{% endfor %}", "{% for k in map.keys() %}{{ k }}{% endfor %}",
    "{% for k, v in map | dictsort %}{{ k }}{% endfor %}", "{% for a in nested recursive %}{% if a is sequence %}[{{ loop(a) }}]{% else %}{{ a }}{{ loop.depth }}{% endif %}{% endfor %}", "{% for w in words %}{% if w == 'a' %}{% continue %}{% endif %}{% if w == 'B' %}{% break %}{% endif %}{{ w }}{% endfor %}",
    "{% for c in 'abc' %}{{ c }}-{% endfor %}", "{% for m in messages[::-1] %}{{ m.role }}{% endfor %}", "{% for i in range(5, 0, -2) %}{{ i }}{% endfor %}", "{% for a, b in [(1, 2), (3, 4)] %}{{ a + b }}{% endfor %}", "{% for x in missing %}{% endfor %}ok",
    "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}", "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.current }}{% set _ = c.reset() %}{{ c.next() }}", "{% set j = joiner(', ') %}{% for w in words %}{{ j() }}{{ w }}{% endfor %}", "{% set j = joiner() %}{{ j() }}{{ j() }}",
    # Variables.
    "{% set ns = namespace(a=1, b='x') %}{% for w in words %}{% set ns.a = ns.a + 1 %}{% endfor %}{{ ns.a }}{{ ns.b }}{{ ns.missing }}", "{% set ns = namespace({'a': 1}) %}{{ ns.a }}", "{% set v = 1 %}{% for w in words %}{% set v = 2 %}{% endfor %}{{ v }}", "{% if true %}{% set v = 5 %}{% endif %}{{ v }}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% set block %} text {{ n }} {% endset %}[{{ block }}]", "{% set block | upper %}text{% endset %}{{ block }}", "{% with a = 1, b = n %}{{ a + b }}{% endwith %}{{ a }}", "{% set d = dict(a=1, b=2) %}{{ d.a }}{{ d }}",
    "{% macro m(a, b='x', c=n) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }}{{ m(1, c=2) }}{{ m(1, 'y', 3) }}", "{% macro m(t) %}<{{ t }}>{% if t > 0 %}{{ m(t - 1) }}{% endif %}{% endmacro %}{{ m(2) }}", "{% macro m() %}({{ caller() }}){% endmacro %}{% call m() %}in{% endcall %}",
    "{% filter upper %}abc{% endfilter %}", "{% raw %}{{ raw }}{% endraw %}", "{# no #}x{#- and -#} y", "{{ 'x' if n > 2 else 'y' }}{{ 'z' if n > 5 }}", "{% if n == 3 and not zero or none %}a{% elif yes %}b{% else %}c{% endif %}",
    "{% generation %}{% set inner = 1 %}x{{ inner }}{% endgeneration %}|{{ inner }}", "{%- generation -%} a {%- endgeneration -%} b", "{% for w in words %}{% generation %}{{ w }}{{ loop.index if false }}{% endgeneration %}\n{% endfor %}",
    # Tests.
    *("{{ %s }}" % expression for expression in
      [f"{value} is {test}" for value in ["n", "x", "text", "words", "map", "none", "yes", "missing", "zero", "empty", "(1, 2)", "range(2)"] for test in ["string", "mapping", "iterable", "sequence", "number", "integer", "float", "boolean", "true", "false", "none", "defined", "undefined", "callable"]]),
    "{{ 3 is odd }}{{ 4 is even }}{{ 9 is divisibleby 3 }}{{ 1 is eq 1 }}{{ 1 is equalto(2) }}{{ 2 is in [1, 2] }}{{ 'a' is lower }}{{ 'A' is upper }}{{ none is sameas none }}{{ 3 is gt 2 }}{{ 3 is lt(2) }}{{ 1 is ne 2 }}", "{{ 'upper' is filter }}{{ 'nope' is filter }}{{ 'odd' is test }}",
    "{{ n is not string }}{{ not n is string }}{{ missing is not defined }}",
    # Filters.
    *("{{ %s }}" % expression for expression in
      ["words | join(', ')", "words | join", "[1, none, true, 1.5] | join('-')", "rows | join(',', attribute='v')", "words | first", "words | last", "words | length", "words | count", "words | sort", "words | sort(reverse=true)", "words | sort(case_sensitive=true)",
       "rows | sort(attribute='v')", "words | unique | list", "words | reverse | list", "'abc' | reverse", "words | map('upper') | list", "rows | map(attribute='v') | list", "rows | map(attribute='w', default=0) | list", "words | select('equalto', 'a') | list",
       "words | reject('equalto', 'a') | list", "rows | selectattr('g', 'equalto', 'x') | list", "rows | selectattr('g', 'eq', 'x') | map(attribute='v') | sum", "rows | rejectattr('g', '==', 'x') | list", "rows | selectattr('missing') | list", "rows | groupby('g')", "rows | groupby('g') | list | length",
       "[1, 2, 3, 4, 5] | batch(2) | list", "[1, 2, 3, 4, 5] | batch(2, 'x') | list", "[1, 2, 3, 4, 5] | slice(2) | list", "[3, 1] | min", "[3, 1] | max", "[1, 2] | sum", "rows | sum(attribute='v')", "text | title", "text | capitalize", "text | upper", "text | lower", "text | trim", "text | trim('on')", "'hello world' | title",
       "text | replace('two', '2')", "text | replace('two', '2', 1)", "text | indent", "text | indent(2)", "text | indent(2, true)", "text | indent(width=2, first=true, blank=true)", "text | indent('> ')", "text | wordcount", "text | truncate(8)", "text | truncate(8, true, '..')", "text | center(40)", "'ab' | center(5)", "missing | default('d')", "'' | default('d')", "'' | default('d', true)", "missing | d('e')", "none | default('d')",
       "none | default('d', true)", "'abc' | list", "map | list", "map | items | list", "map | length", "'<a href=\"x\">&\\'' | escape", "'<' | e", "'<b>' | safe", "'a b/é?' | urlencode", "'<p>a <b>b</b></p>' | striptags", "map | attr('k')", "[1, 2] | random is number", "text | wordwrap(5)", "1000000 | filesizeformat", "'x' | forceescape", "map | xmlattr", "[[1, 2], [3]] | map('first') | list", "words | map('length') | list",
       "['a', 'b'] | map('replace', 'a', 'x') | list", "messages | map(attribute='role') | join('/')", "messages | selectattr('tool_calls', 'defined') | list | length", "messages | rejectattr('role', 'equalto', 'user') | map(attribute='content') | first", "[1, 2, 3][1:] | first", "words[-1]", "words[9]", "words[1:3]", "words + ['c']", "[1] * 2", "words == ['b', 'a', 'B', 'a']", "{'a': 1} == {'a': 1}", "1 == 1.0", "1 == true", "'1' == 1",
       "none == missing", "'a' in words", "'k' in map", "'v' in map", "1 in [1.0]", "map.k", "map['k']", "map.get('k')", "map.get('z')", "map.get('z', 'd')", "map['items']", "map['get']", "map.missing", "map.missing is defined", "messages[0].content | length", "messages[0]['role']", "messages[-1].role", "messages | last | tojson", "text | length", "words.index('B')", "words.count('a')", "map.keys() | list", "map.values() | list", "map.copy()", "words.copy()", "map.items() | list", "map.items() | first",
       "words.append('x')", "map.update({'a': 1})", "map.pop('k')", "missing.attr", "missing + 'x'", "'x' + 1", "n + 'x'", "none.attr", "none + 1", "nothing()", "text | nothing", "n is nothing", "raise_exception('told')", "[1, 2] + (3,)", "not none", "none and 1", "none or 'x'", "'' or 'y'", "0 or 5", "1 and 2", "-n", "+n", "n | nothing if false", "~n",
       "range(3) | list", "range(1, 4) | join", "dict(a=1)", "messages[0].content.strip().split(',')[0]", "(messages[0].content ~ '!').strip()", "messages | length - 1", "(words | length) // 2", "'a,b'.split(',') | last", "text.split('two')[-1].lstrip()", "url.rsplit('/', 1)[-1].split('.')[0]", "{'a': {'b': [1, {'c': 2}]}}.a.b[1].c", "[words, n] | tojson", "messages[1].tool_calls[0].function.arguments | items | list", "messages[1].tool_calls[0]['function']['arguments']['a'][3]",
       "{'b': 1, 'a': 2} | dictsort", "{'b': 1, 'a': 2} | dictsort(by='value')", "{'b': 1, 'a': 2} | dictsort(false, 'key', true)", "'%.2f' | format(3.14159)", "'%05d' | format(42)", "'%r' | format('a')", "'{:.2f}'.format(3.14159)", "1_000", "0x10", "1e-3", "'a' if missing else 'b'", "[1,2,3,]", "{'a': 1,}", "words|join(',')|upper", "words | sort | join", "true is true", "1 is true", "'x' is string and 'x' is not mapping", "(1, 2)[0]", "'a' 'b' ~ 'c'", "[x for x in words]", "loop is defined", "messages is defined", "x is defined and x > 2"]),
    # White space.
    "a\n  {% if true %}\n b\n  {% endif %}\nc\n", "a\n  {%- if true -%}\n b\n  {%- endif -%}\nc\n\n", "a {{- 'x' -}} b\n{{ 'y' }}\nc", "{% if true %}\r\na\r\n{% endif %}\r\nb", "  {%+ if true %}x{% endif +%}\ny", "{% if true -%}\n\n  a{% endif %}", "  {# c #}\n  x\n", "{{ 'a\nb' }}\n\n", "\n\n{% set x = 1 %}\n{{ x }}\n", "{{ x\n}}\n{% for i in [1,2] %}\n{{ i }}\n{% endfor %}\n", "{{ '}}' }}{{ \"{%\" }}", "{{ {'a': {'b': 1}} }}", "a{%\n set q = 1\n%}b{{ q }}", "{%- set q = [\n 1,\n 2\n] -%}\n{{ q | tojson }}\n",
]


def rendered(template):
    row = {**ROW, "tools": None, "documents": None, "add_generation_prompt": False}
    case = {"template": template, "text": None}
    try:
        case["text"] = chat_template_utils._compile_jinja_template(template).render(**row)
    except Exception as error:
        case["says"] = str(error)
    return case


cases = [rendered(template) for template in TEMPLATES]
row = json.dumps(ROW, ensure_ascii=False)
lines = [json.dumps(case, ensure_ascii=False) for case in cases]
path = Path(__file__).parent / "jinja.json"
path.write_text('{"row": ' + row + ',\n"cases": [\n' + ",\n".join(lines) + "\n]}\n")
