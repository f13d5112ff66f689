"""python -m eval COMMAND: measure recognisers as the literature does."""

import sys

from data_tools.cli import Command, main

COMMANDS = {
    "words": Command("eval.commands.words", "word accuracy by the published protocols: table, JSON, HTML page"),
    "lexicon": Command("eval.commands.lexicon", "lexicon decoding: accuracy and time against size and edit distance"),
    "speed": Command("eval.commands.speed", "images a second, inference and training, against other engines"),
    "staves": Command("eval.commands.staves", "staves a second, reading and training, and the memory of a long staff"),
    "stages": Command("eval.commands.stages", "train the stage combinations for the same budget and compare them"),
    "renderer": Command("eval.commands.renderer", "what each effect of the word renderer is worth"),
    "reading": Command("eval.commands.reading", "ways of reading training data, in samples a second"),
}

if __name__ == "__main__":
    sys.exit(main("eval", "Measure recognisers as the literature does.", COMMANDS))
