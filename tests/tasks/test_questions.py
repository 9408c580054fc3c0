"""Questions and what they ask for, as a table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenewise.errors import UsageError
from scenewise.tasks.questions import parse_question

TABLE = [
    # yes or no
    ("Is there a dog?", "yes_no", "a dog"),
    ("Is there a dog in the video?", "yes_no", "a dog"),
    ("Are there any cars in this clip", "yes_no", "cars"),
    ("Was there ever a boat?", "yes_no", "a boat"),
    ("Does a dog jump over the fence?", "yes_no", "a dog jump over the fence"),
    ("Do you see a red car?", "yes_no", "a red car"),
    ("Can we see a cat anywhere in the film?", "yes_no", "a cat"),
    ("Does a horse appear?", "yes_no", "a horse"),
    ("Does the video show a kitchen?", "yes_no", "a kitchen"),
    ("Is the man wearing a hat?", "yes_no", "the man wearing a hat"),
    ("Has the train arrived?", "yes_no", "the train arrived"),
    ("Please tell me if there is a cat", "yes_no", "a cat"),
    ("Can you tell me whether a cat is visible", "yes_no", "a cat"),
    ("Is a rocket visible?", "yes_no", "a rocket"),
    # one of several
    ("Is it a cat or a dog?", "either", ""),
    ("Is this a car, a bus or a train?", "either", ""),
    # what
    ("What is on the table?", "what", "on the table"),
    ("What's in the bowl?", "what", "in the bowl"),
    ("What animal is on the table?", "what", "animal on the table"),
    ("Which animal is it?", "what", "animal"),
    ("What kind of dog is it?", "what", "dog"),
    ("What breed of dog is shown?", "what", "dog"),
    ("Which vehicle drives along the road?", "what", "vehicle drives along the road"),
    ("What is the man holding?", "what", "the man holding"),
    ("What is the woman doing?", "what", "the woman"),
    ("What is this?", "what", ""),
    ("What is in the video?", "what", ""),
    ("What's in this clip?", "what", ""),
    ("What?", "open", "What"),
    ("What is happening?", "what", ""),
    ("What is this video about?", "what", ""),
    ("What can be seen?", "what", ""),
    ("What can you see on the shelf?", "what", "on the shelf"),
    ("What musical instrument is played?", "what", "musical instrument played"),
    # where and when
    ("Where is the dog?", "where", "the dog"),
    ("Where does the boat land?", "where", "the boat land"),
    ("In which video is there a rocket?", "where", "a rocket"),
    ("When does the dog jump?", "when", "the dog jump"),
    ("When is there a cat?", "when", "a cat"),
    ("At what time does the rocket start?", "when", "the rocket start"),
    ("When can you see the lake?", "when", "the lake"),
    # how many, how long
    ("How many times does the dog bark?", "times", "the dog bark"),
    ("How often is a cat shown?", "times", "a cat"),
    ("How many people are there?", "count", "people"),
    ("How many dogs are on the sofa?", "count", "dogs on the sofa"),
    ("How many cars can you see?", "count", "cars"),
    ("How much money is there?", "count", "money"),
    ("How long is the video?", "length", ""),
    ("What is the duration of this film?", "length", ""),
    ("How long does the race last?", "length", "the race"),
    # one thing after the other
    ("What happens after the rocket starts?", "after", "the rocket starts"),
    ("What happens right after the cat?", "after", "the cat"),
    ("What comes before the fire?", "before", "the fire"),
    ("After the goal, what happens?", "after", "the goal"),
    ("What do we see before the sunset", "before", "the sunset"),
    ("What follows the sunset?", "after", "the sunset"),
    ("Does the cat come before the dog?", "order", "the cat"),
    ("Does the cat appear after the dog?", "order", "the dog"),
    ("Is there a boat before the storm?", "order", "a boat"),
    # what is read or heard
    ("What does the sign say?", "said", "the sign"),
    ("What does she say?", "said", ""),
    ("What does the man say about the price?", "said", "the price"),
    ("What is written on the board?", "said", "the board"),
    # what pictures of kinds of things do not tell
    ("What colour is the car?", "attribute", "the car"),
    ("What is the color of the car?", "attribute", "the car"),
    ("Who is the man in the hat?", "attribute", "the man in the hat"),
    ("What is the name of the dog?", "attribute", "the dog"),
    ("Why does she laugh?", "attribute", "she laugh"),
    ("How does the machine work?", "attribute", "the machine work"),
    ("How old is the man?", "attribute", "the man"),
    ("What time is it?", "attribute", "it"),
    ("What is the dog called?", "attribute", "the dog"),
    # no form that is known
    ("a red car", "open", "a red car"),
    ("Wo ist der Hund?", "open", "Wo ist der Hund"),
]


@pytest.mark.parametrize(("text", "form", "sentence"), TABLE, ids=[row[0] for row in TABLE])
def test_a_question_says_what_to_look_for(text: str, form: str, sentence: str) -> None:
    question = parse_question(text)
    assert (question.form, question.sentence) == (form, sentence)


@pytest.mark.parametrize(("text", "form", "sentence"), TABLE, ids=[row[0] for row in TABLE])
def test_capitals_and_marks_change_nothing(text: str, form: str, sentence: str) -> None:
    shouted = parse_question(f"  “{text.upper()}”?!")
    assert (shouted.form, shouted.sentence.casefold()) == (form, sentence.casefold())


@pytest.mark.parametrize(
    ("text", "first", "second"),
    [
        ("Does the cat come before the dog?", "the cat", "the dog"),
        ("Does the cat come after the dog?", "the dog", "the cat"),
    ],
)
def test_an_order_has_a_first_and_a_second(text: str, first: str, second: str) -> None:
    question = parse_question(text)
    assert (question.sentence, question.second) == (first, second)


@pytest.mark.parametrize(
    ("text", "alternatives"),
    [
        ("Is it a cat or a dog?", ("a cat", "a dog")),
        ("Is this a car, a bus or a train?", ("a car", "a bus", "a train")),
    ],
)
def test_alternatives_are_told_apart(text: str, alternatives: tuple[str, ...]) -> None:
    assert parse_question(text).alternatives == alternatives


@pytest.mark.parametrize(
    ("text", "answer", "statement"),
    [
        ("What animal is on the table?", "a cat", "a cat on the table"),
        ("What is on the table?", "a cup", "a cup on the table"),
        ("What is the man holding?", "a cup", "the man holding a cup"),
        ("Where is the dog?", "on the sofa", "the dog on the sofa"),
        ("Where is the dog?", "the garden", "the dog in the garden"),
        ("What happens after the rain?", "a rainbow", "a rainbow"),
        ("What is this?", "a rocket", "a rocket"),
        ("What colour is the car?", "red", "the car red"),
        ("Which dog is it?", "the dog", "dog"),
    ],
)
def test_an_answer_is_put_into_the_question(text: str, answer: str, statement: str) -> None:
    assert parse_question(text).statement(answer) == statement


@given(st.text(max_size=300), st.text(max_size=40))
def test_any_text_is_a_question_or_is_refused(text: str, answer: str) -> None:
    try:
        question = parse_question(text)
    except UsageError:
        return
    assert question.text
    assert question.form != "open" or question.sentence
    assert isinstance(question.statement(answer), str)


@pytest.mark.parametrize("text", ["", "  ", "???"])
def test_a_question_without_words_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="holds no words"):
        parse_question(text)
