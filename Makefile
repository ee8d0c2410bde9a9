# The two commands of this project. Everything that is missing on the machine is installed on the way.

.PHONY: help test test-engines demo check site bench bench-peers drill

help:
	@echo "make demo   build in release, start the dashboard, carry out both demo plans (KEEP=1: serve on without a terminal)"
	@echo "make test   every check and every test"
	@echo "make test-engines  the CPU plan over llama.cpp, vLLM and SGLang in the folder PODIUM_ENGINES_DIR"
	@echo "make check  formatting, lints, query cache, dependencies, licences"
	@echo "make bench  the load generator against a server's own truth (WRITE=1: into docs/benchmarks.md)"
	@echo "make bench-peers  what a token costs it and vllm bench serve (PODIUM_VLLM: a program vllm; WRITE=1)"
	@echo "make drill  faults at random moments of whole runs (COUNT=200: so many rounds, SEED=n: those of an earlier drill)"
	@echo "make site   what the browser loads"

test test-engines check site:
	@sh scripts/bootstrap.sh $@

demo:
	@sh scripts/bootstrap.sh demo $(if $(KEEP),--keep)

bench:
	@sh scripts/bootstrap.sh bench $(if $(WRITE),--write)

bench-peers:
	@sh scripts/bootstrap.sh bench-peers $(if $(WRITE),--write)

drill:
	@sh scripts/bootstrap.sh drill $(if $(COUNT),--count $(COUNT)) $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only $(ONLY))
