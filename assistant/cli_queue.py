"""The command that shows the queue of what is read in, and pauses, resumes or cancels; the process that works it off obeys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assistant.cli_documents import opened
from assistant.cli_jobs import shown
from assistant.cli_output import DONE, CallerError, note, print_json, print_table
from assistant.settings import Settings
from knowledge.knowledge_base import Job

KEYS = (
    "id", "source", "title", "collection", "state", "fraction", "eta_s", "pages_done", "pages", "message", "remedy", "added",
    "finished", "batch",
)  # fmt: skip
ENDED = ("done", "cancelled")


async def jobs(settings: Settings, wishes: Mapping[str, Sequence[str]], every: bool, json_lines: bool) -> int:
    """`wishes`: ids of jobs to "pause", "resume" or "cancel". Raises: CallerError for an id that is none."""
    async with opened(settings) as assistant:
        knowledge = assistant.knowledge()
        known = {job.id for job in knowledge.jobs()}
        if strange := [job_id for ids in wishes.values() for job_id in ids if job_id not in known]:
            raise CallerError(f"There is no job {strange[0]}. `assistant jobs --all` lists them.")
        for act, ids in wishes.items():
            for job_id in ids:
                await getattr(knowledge, act)(job_id)
        listed = [job for job in knowledge.jobs() if every or job.state not in ENDED]
        waits = knowledge.writer() is None and any(job.state == "waiting" for job in listed)
    if json_lines:
        for job in listed:
            print_json({key: getattr(job, key) for key in KEYS})
        return DONE
    print_table([_row(job) for job in listed])
    for job in listed:
        if job.message and job.state == "failed":
            note(f"{shown(job.source)}: {job.message} {job.remedy}".rstrip())
    if waits:
        note("No process reads them now: the page does, or the next `assistant ingest`.")
    return DONE


def _row(job: Job) -> tuple[str, ...]:
    return (job.id, job.state, f"{job.fraction:.0%}", job.collection, shown(job.source))
