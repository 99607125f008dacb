# Every door of the project. Each target does its own set-up; `make help` lists them.
.DEFAULT_GOAL := help
