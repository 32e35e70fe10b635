"""Every prompt of the product. Lean on purpose: on a small CPU forty prompt tokens cost a second."""

from __future__ import annotations

from typing import Literal

SYSTEM = (
    "You are a helpful assistant. Answer in the language of the question, correctly and briefly. "
    "If you do not know, say so."
)

ROUTE = """Choose the tool for the person's last message.
generate_image: they want a picture made or changed now
transcribe_audio: they want speech in a recording or video turned into text
search_knowledge: the answer stands in their own documents or in this assistant's manual
write_text: everything else: chat, knowledge, code, translating, explaining how such tools work"""

NOT_IN_PASSAGES = "NOT_IN_DOCUMENTS"
ANSWER_FROM_PASSAGES = (
    "Answer the question briefly, in its language, only from the passages. "
    f"If they do not tell what is asked, reply {NOT_IN_PASSAGES}."
)
PASSAGES_EXAMPLES: tuple[tuple[Literal["user", "assistant"], str], ...] = (
    (
        "user",
        "Passages:\nhouse.pdf, page 2:\nThe laundry is open from 7:00 to 21:00. A wash costs 2 euros. The caretaker, Mrs Blom, "
        "opens the bicycle cellar on request.\n\nQuestion: How old is the caretaker?",
    ),
    ("assistant", NOT_IN_PASSAGES),
    ("user", "Question: What does the machine for clothes cost?"),
    ("assistant", "A wash costs 2 euros."),
    ("user", "Question: Which brand is the washing machine?"),
    ("assistant", NOT_IN_PASSAGES),
    ("user", "Question: Whom do I ask to get at my bike?"),
    ("assistant", "Mrs Blom, the caretaker, opens the bicycle cellar."),
)
"""Shown before the passages: a small model learns from them when to refuse. They are the same each time, so that they are read once."""

IS_ANSWER = "A reader checks an answer against its source. Reply yes if the source tells exactly what the question asks, otherwise no."
IS_ANSWER_EXAMPLES: tuple[tuple[Literal["user", "assistant"], str], ...] = (
    ("user", "Source: The caretaker is Mrs Blom.\nQuestion: How old is the caretaker?\nAnswer: Mrs Blom"),
    ("assistant", "no"),
    ("user", "Source: A wash costs 2 euros.\nQuestion: What do I pay for the laundry?\nAnswer: 2 euros"),
    ("assistant", "yes"),
    (
        "user",
        "Source: The bicycle cellar is beside the laundry.\nQuestion: How many bicycles fit into it?\nAnswer: The cellar",
    ),
    ("assistant", "no"),
    (
        "user",
        "Source: The laundry is open from 7:00 to 21:00.\nQuestion: Until when can I wash clothes?\nAnswer: 21:00",
    ),
    ("assistant", "yes"),
)

SUMMARY = (
    "The message holds a part of a document, then a request. Write {count} short sentences with the most important facts of the "
    "part, in the order of the text, using its own words, names and numbers. Write nothing else."
)
IN_SHORT = (
    "The message holds notes on the parts of a document, in order, then a request. Write two or three sentences on what the whole "
    "document is about and its most important facts, from the notes alone, in the language of the notes."
)

TRANSCRIPT = (
    "The message holds the transcript of a recording, or parts of it, with times, then a request about it. "
    "Do what is asked, briefly, from the transcript alone, in the language of the request."
)
NOT_SAID = f" If it says nothing about it, reply {NOT_IN_PASSAGES}."
NOTES = (
    "The message holds one part of the transcript of a longer recording, then a request about the whole. In at most three "
    "sentences, note what in this part matters for the request, with names and numbers, in the language of the request. "
    f"If nothing does, reply {NOT_IN_PASSAGES}."
)
FROM_NOTES = (
    "The message holds notes on the parts of a recording, in order, then a request about it. "
    "Do what is asked from the notes alone, in the language of the request."
)
