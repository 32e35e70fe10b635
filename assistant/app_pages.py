"""The routes of all pages and of what they ask for, in the order in which an address is looked up."""

from __future__ import annotations

from fastapi import APIRouter

from assistant import (
    app_compare,
    app_compare_cost,
    app_compare_page,
    app_evaluation_runs,
    app_evaluation_sets,
    app_evaluations,
    app_evaluations_page,
    app_knowledge,
    app_knowledge_jobs,
    app_knowledge_page,
    app_knowledge_web,
    app_model_probe,
    app_model_pull,
    app_models,
    app_models_page,
    app_passages,
    app_prompts,
    app_prompts_page,
    app_receipts,
    app_routes,
    app_speakers,
    app_transcript_page,
)

ROUTERS: tuple[APIRouter, ...] = (
    app_routes.router,
    app_passages.router,
    app_transcript_page.router,
    app_receipts.router,
    app_speakers.router,
    app_knowledge_page.router,
    app_knowledge.router,
    app_knowledge_jobs.router,
    app_knowledge_web.router,
    app_models_page.router,
    app_models.router,
    app_model_probe.router,
    app_model_pull.router,
    app_prompts_page.router,
    app_prompts.router,
    app_evaluations_page.router,
    app_evaluation_sets.router,
    app_evaluation_runs.router,
    app_evaluations.router,
    app_compare_page.router,
    app_compare.router,
    app_compare_cost.router,
)
