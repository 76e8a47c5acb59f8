"""Chat templates write what they should, and nothing that a stranger may want."""

import time

import pytest

from keras_genai.data import template_leash, tokenizers
from keras_genai.data.chat_templates import render
from keras_genai.data.conversations import encode
from keras_genai.data.template_leash import TemplateError
from keras_genai.data.template_turns import TemplateTurns, template_turns
from keras_genai.data.turns import CHATML
from keras_genai.registry import from_plain, to_plain

MESSAGES = [
    {"role": "user", "content": "Hi {x} "},
    {"role": "assistant", "content": "Yo"},
]
CHAT = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + "
    "'<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|im_start|>assistant\n' }}{% endif %}"
)
WRITTEN = {
    "{% set ns = namespace(a='', n=0) %}{% for m in messages %}{% set ns.a = ns.a ~ "
    "m.content.strip().split(' ')[-1] %}{% set ns.n = ns.n + 1 %}{% endfor %}"
    "{{ ns.a }}{{ ns.n }}": "{x}Yo2",
    "{{ messages[1:] | tojson }}": '[{"role": "assistant", "content": "Yo"}]',
    "{% macro f(x) %}[{{ x }}]{% endmacro %}{{ f(messages[0].content|trim) }}": (
        "[Hi {x}]"
    ),
    "{{ messages|map(attribute='role')|join(', ') }}": "user, assistant",
    "{{ messages|selectattr('role', 'equalto', 'user')|list|length }}": "1",
    "{% for m in messages %}{% if not loop.last %}{% continue %}{% endif %}"
    "{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}": "Yo",
    "{{ 'a b'.replace(' ', '_')|upper }}{{ {'a': 1}['a'] }}": "A_B1",
    "{{ messages[::-1][0].role }}": "assistant",
    "{% if strftime_now is defined %}today{% else %}then{% endif %}": "then",
}
LONG = "x" * 1000
HOSTILE = [
    "{{ ''.__class__.__mro__ }}",
    "{% for a in range(10000) %}{% for b in range(10000) %}{% endfor %}{% endfor %}",
    "{% for a in range(1000000000) %}{% endfor %}",
    "{{ 'a' * 1000000000 }}",
    "{{ 10**10**9 }}",
    "{{ [1] * 1000000000 }}",
    "{% set n=namespace(x='aaaaaaaa') %}{% for i in range(99) %}{% set n.x=n.x~n.x %}"
    "{% endfor %}",
    "{% set n=namespace(x='aaaaaaaa') %}{% for i in range(99) %}{% set n.x=n.x+n.x %}"
    "{% endfor %}",
    "{% set n=namespace(x=[1]) %}{% for i in range(99) %}{% set n.x=[n.x,n.x] %}"
    "{% endfor %}",
    "{% set n=namespace(x=9) %}{% for i in range(99) %}{% set n.x=n.x*n.x %}"
    "{% endfor %}",
    "{% set x %}{% for i in range(9999) %}{{ '" + LONG + "' }}{% endfor %}{% endset %}",
    "{% for a in range(9999) %}" + LONG + "{% endfor %}",
    "{% for m in messages %}{{ [m.content].append(1) }}{% endfor %}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{% macro f(n) %}{% for i in range(9) %}{{ f(n) }}{% endfor %}{% endmacro %}"
    "{{ f(1) }}",
    "{% for x in messages recursive %}{{ loop(messages) }}{% endfor %}",
    "{% import 'x' as y %}",
    "{% include '/etc/passwd' %}",
    "{% extends 'x' %}",
    "{{ 'a'.ljust(1000000000) }}",
    "{% set f = 'a'.ljust %}{{ f(1000000000) }}",
    "{{ '%1000000000d' % 3 }}",
    "{{ '{:1000000000}'.format('a') }}",
    "{{ 'a'|center(1000000000) }}",
    "{{ messages|map('center', 1000000000)|list }}",
    "{{ 'a'|indent(1000000000) }}",
    "{{ messages|tojson(indent=1000000000) }}",
    "{{ range(10000)|list|map('string')|join('" + LONG + "') }}",
    "{{ '" + LONG + "'.replace('x', '" + 2 * LONG + "') }}",
    "{{ '" + LONG + "'|replace(new='" + 2 * LONG + "', old='x') }}",
    "{{ lipsum(1000000) }}",
    "{{ messages.pop() }}",
    "{{ messages|attr('__class__') }}",
    "{{ raise_exception('not so') }}",
    "{% set _step = 1 %}",
    "{% macro _step(n) %}{% endmacro %}",
    "{% if a %}" * 3000,
    "{{ " + "-" * 20000 + "1 }}",
    "{{ " + "[" * 3000 + "]" * 3000 + " }}",
    "{{ 1 / 0 }}",
    "{{ messages[9].role.x }}",
    "{{",
    " " * (template_leash.LARGEST_TEMPLATE + 1),
]


@pytest.mark.parametrize("template", WRITTEN)
def test_what_published_templates_use_works(template):
    assert render(template, messages=MESSAGES) == WRITTEN[template]


@pytest.mark.parametrize("template", HOSTILE, ids=lambda text: text[:40].strip())
def test_a_hostile_template_is_refused_soon_and_in_one_line(template):
    start = time.process_time()  # a paused machine counts nothing
    with pytest.raises(TemplateError) as caught:
        render(template, messages=MESSAGES)
    assert time.process_time() - start < 2 * template_leash.DEADLINE
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "template",
    [
        "{{ messages.__class__ }}",
        "{{ raise_exception.__globals__ }}",
        "{{ range.__self__ }}",
        "{{ messages|map(attribute='__class__')|first }}",
        "{% for m in messages %}{{ loop.cycle.__globals__ }}{% endfor %}",
    ],
)
def test_what_is_behind_an_object_is_not_there(template):
    assert render(template, messages=MESSAGES) in ("", "Undefined")


def test_values_are_not_changed():
    said = [dict(message) for message in MESSAGES]
    with pytest.raises(TemplateError):
        render("{{ messages.append(1) }}", messages=said)
    render("{% set messages = [] %}", messages=said)
    assert said == MESSAGES


def test_a_slow_machine_is_no_reason_to_go_on(monkeypatch):
    monkeypatch.setattr(template_leash, "DEADLINE", 0.0)
    with pytest.raises(TemplateError, match=r"more than 0\.0 s"):
        render("{% for m in messages %}{{ m.role }}{% endfor %}", messages=MESSAGES)


@pytest.fixture(scope="module")
def tokenizer():
    plain = tokenizers.characters("abcdefghijklmnopqrstuvwxyz \n", "<pad>")
    return plain.with_tokens(["<|im_start|>", "<|im_end|>"])


def test_a_template_is_the_turns_that_it_spells(tokenizer):
    turns = template_turns(CHAT, {}, tokenizer)
    said = [("system", "be brief"), ("person", "hi"), ("model", "yo"), ("person", "a")]
    assert turns.text(said) == CHATML.text(said)
    assert turns.stops(tokenizer) == CHATML.stops(tokenizer)
    assert turns.end == CHATML.end
    text, spans = turns.spans(said[:3])
    theirs, marks = CHATML.spans(said[:3])
    assert text == theirs + "\n"
    assert (
        [text[a:b] for a, b in spans]
        == [theirs[a:b] for a, b in marks]
        == ["yo<|im_end|>"]
    )
    turns.check(tokenizer)


def test_a_conversation_of_a_template_is_learned_where_the_model_speaks(tokenizer):
    turns = template_turns(CHAT, {}, tokenizer)
    row = {
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "yo"},
        ]
    }
    (found,), (expected,) = (encode([row], tokenizer, each) for each in (turns, CHATML))
    count = len(expected.tokens)
    assert found.tokens[:count].tolist() == expected.tokens.tolist()
    assert found.learned[:count].tolist() == expected.learned.tolist()
    assert not found.learned[count:].any()


def test_what_was_answered_to_a_forgotten_question_is_forgotten(tokenizer):
    turns = template_turns(CHAT, {}, tokenizer)
    system, asked = ("system", "be brief"), ("person", "hi")
    assert turns.text([system, ("model", "yo"), asked]) == turns.text([system, asked])
    assert turns.text([("model", "yo"), asked]) == turns.text([asked])


def test_turns_of_a_template_come_back_from_a_file(tokenizer):
    turns = template_turns(CHAT, {"bos_token": "a"}, tokenizer)
    assert from_plain(to_plain(turns)) == turns


def test_a_template_that_rewrites_what_was_read_is_not_learned_from(tokenizer):
    changed = "{{ messages|length }}" + CHAT
    turns = TemplateTurns(changed, end="<|im_end|>")
    with pytest.raises(TemplateError, match="behind what the model reads"):
        turns.spans([("person", "hi"), ("model", "yo")])
    with pytest.raises(ValueError, match="A speaker must be one of"):
        turns.text([("robot", "hi")])
