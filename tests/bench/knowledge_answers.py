"""How often search_knowledge answers what the documents hold, and admits what they do not.

Questions on the manual and on a contract in PDF, through the real tool, embedding and starter text model:
`python -m tests.bench.knowledge_answers MODELS_FOLDER [--retrieval]`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path

from knowledge.handbook import install_handbook
from knowledge.knowledge_base import KnowledgeBase
from tools.context import Citation, TextDelta, ToolContext
from tools.engines.base import EngineOptions
from tools.engines.device import DeviceArbiter
from tools.engines.llama_cpp import load_text
from tools.engines.onnx import load_embedding
from tools.search_knowledge import search_knowledge

CONTRACT = [
    """Service agreement between Northwind Bakery Ltd and Harbour Logistics GmbH. This agreement takes effect on 3 March 2025.
    The supplier delivers fresh bread to the six branches of the customer every morning before 6:30, except on Sundays. The
    price of a delivery is 148 euros. Prices are reviewed each January. The contact person of the supplier is Maria Lindqvist,
    telephone extension 412.""",
    """Termination. Either party may end this agreement in writing with a notice period of 90 days to the end of a quarter. If
    deliveries are late more than four times in a month, the customer may terminate at once. Penalty. For each late delivery
    the supplier owes the customer a penalty of 25 euros, at most 300 euros a month.""",
    """Liability and insurance. The supplier keeps a liability insurance of at least 2 million euros. Damage must be reported
    within 48 hours. Disputes are settled by the court of Rotterdam under Dutch law. Annex. Allergens: the rye bread contains
    sesame and walnuts. The vans are electric and are charged in Delft.""",
]
ANSWERABLE = [
    ("What is the notice period of the agreement?", ["90"]),
    ("When does the agreement take effect?", ["3 March 2025"]),
    ("How much does one delivery cost?", ["148"]),
    ("What is the penalty for a late delivery?", ["25"]),
    ("Which court settles disputes?", ["Rotterdam"]),
    ("Who is the contact person of the supplier?", ["Lindqvist"]),
    ("Which allergens are in the rye bread?", ["sesame"]),
    ("How quickly must damage be reported?", ["48"]),
    ("Where are the vans charged?", ["Delft"]),
    ("How high must the liability insurance be?", ["2 million"]),
    ("What can you do?", ["text", "picture", "document"]),
    ("How do I add a document?", ["drop", "ingest"]),
    ("Why does my microphone not work from another computer?", ["HTTPS", "localhost", "certificate"]),
    ("Does anything leave my machine?", ["nothing", "stay"]),
    ("How do I reset somebody's password?", ["users reset"]),
    ("Que sais-tu faire ?", ["texte", "images", "documents"]),
    ("Comment ajouter un document ?", ["dépos", "ingest", "Dépos"]),
    ("Comment utiliser la carte graphique ?", ["device", "auto", "cuda"]),
    ("Où sont gardées mes données ?", ["ASSISTANT_HOME", "dossier"]),
    ("How can I export subtitles of a video?", ["srt", "vtt"]),
]
UNANSWERABLE = [
    "What is the capital of Australia?",
    "What is the salary of Maria Lindqvist?",
    "Who signed the agreement for the customer?",
    "How many employees does Harbour Logistics have?",
    "What is the bank account number of the supplier?",
    "Which wheat variety is used for the bread?",
    "What is the maximum speed of the vans?",
    "How old is the court of Rotterdam?",
    "What was the company's revenue in 2023?",
    "How do I bake sourdough bread at home?",
    "Which football team won the world cup in 1998?",
    "Does the assistant control my smart lamps?",
    "Quel est le numéro de téléphone du support technique ?",
    "Combien coûte l'abonnement mensuel à l'assistant ?",
    "Qui a gagné le Tour de France en 2019 ?",
]


def write_contract(path: Path) -> None:
    from reportlab.lib.pagesizes import A4
    from reportlab.pdfgen.canvas import Canvas

    canvas = Canvas(str(path), pagesize=A4)
    for page in CONTRACT:
        text = canvas.beginText(60, 780)
        for line in textwrap.wrap(" ".join(page.split()), 80):
            text.textLine(line)
        canvas.drawText(text)
        canvas.showPage()
    canvas.save()


async def main(models: Path, retrieval_only: bool) -> None:
    options = EngineOptions(models, DeviceArbiter())
    embedder, text = load_embedding("all-MiniLM-L6-v2", options), load_text("qwen2.5-coder-1.5b-instruct", options)
    with tempfile.TemporaryDirectory() as folder:
        base = KnowledgeBase(Path(folder) / "knowledge", embedder.embed, embedder.name)
        await install_handbook(base)
        write_contract(Path(folder) / "contract.pdf")
        await base.add(Path(folder) / "contract.pdf", source="contract.pdf")
        if retrieval_only:
            await _print_retrieval(base)
        else:
            await _print_answers(base, text)
        await base.close()


async def _print_retrieval(base: KnowledgeBase) -> None:
    from knowledge.evidence import coverage
    from knowledge.ranking import content_words

    for question in [q for q, _ in ANSWERABLE] + UNANSWERABLE:
        best = await base.search(question, k=3, collections=["shared", "handbook"])
        words = content_words(question)
        print(question, [(round(p.similarity, 2), round(coverage(words, p.text), 2), p.title[:12]) for p in best])


async def _print_answers(base: KnowledgeBase, text: object) -> None:
    right = admitted = 0
    for question, wanted in ANSWERABLE:
        answer, citations, seconds = await _ask(base, text, question)
        good = bool(citations) and any(w.lower() in answer.lower() for w in wanted)
        right += good
        print(
            f"{'ok ' if good else 'BAD'} {seconds:5.1f}s {question}\n      {json.dumps(answer, ensure_ascii=False)[:300]}"
        )
        for c in citations:
            print(f"        [{c.n}] {c.title} p{c.page}: {c.quote[:100]!r}")
    for question in UNANSWERABLE:
        answer, citations, seconds = await _ask(base, text, question)
        admitted += not citations
        print(f"{'ok ' if not citations else 'BAD'} {seconds:5.1f}s {question}\n      {answer[:300]!r}")
    print(f"answered right, with a citation {right}/{len(ANSWERABLE)}; admitted {admitted}/{len(UNANSWERABLE)}")


async def _ask(base: KnowledgeBase, text: object, question: str) -> tuple[str, list[Citation], float]:
    context = ToolContext(
        request=question,
        history=[],
        attachments=[],
        thread_attachments=[],
        collections=["thread-bench", "shared", "handbook"],
        artifacts=Path(),
        stop=threading.Event(),
        text=lambda: text,  # type: ignore[arg-type,return-value]
        speech=None,  # type: ignore[arg-type]
        image=None,  # type: ignore[arg-type]
        knowledge=lambda: base,
    )
    started = time.monotonic()
    outputs = [output async for output in search_knowledge(context)]
    answer = "".join(o.text for o in outputs if isinstance(o, TextDelta))
    return answer, [o for o in outputs if isinstance(o, Citation)], time.monotonic() - started


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), "--retrieval" in sys.argv))
