"""The command line: `fairmot-lab COMMAND` and `python -m fairmot_lab COMMAND`."""
