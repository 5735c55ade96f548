"""Batch files of the OpenAI API, through the gateway: what nobody waits for, answered by the models that are there."""
