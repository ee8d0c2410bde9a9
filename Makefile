# The two commands of this project. Everything that is missing on the machine is installed on the way.

.PHONY: help test demo check site

help:
	@echo "make demo   build in release and run the demo"
	@echo "make test   every check and every test"
	@echo "make check  formatting, lints, query cache, dependencies, licences"
	@echo "make site   what the browser loads"

test demo check site:
	@sh scripts/bootstrap.sh $@
