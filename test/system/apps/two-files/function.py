"""A function that uses a module of its own beside it, taken along by value or as a file."""

import answers
import fal


@fal.function(local_python_modules=["answers"])
def by_value():
    print("by value:", answers.answer("hello"))
    return answers.answer("hello")


@fal.function(app_files=["answers.py"])
def as_file():
    import os

    import answers as shipped

    print("as file:", shipped.answer("hello"), shipped.__file__, os.getcwd())
    return shipped.answer("hello")
