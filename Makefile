# Every door of the project. Each target does its own set-up; `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help setup

help: ## This list
	@sed -n 's/^\([a-z]*\):[^#]*## /\1	/p' $(MAKEFILE_LIST) | expand -t 10

setup: ## Host packages and the arm64 pieces that the machine lacks
	@Scripts/setup
