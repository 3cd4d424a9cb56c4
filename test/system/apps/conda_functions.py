"""Functions whose environments are built by conda."""

import fal

ENVIRONMENT = """
name: ignored
channels:
  - conda-forge
dependencies:
  - pyjokes
  - pip:
      - six==1.16.0
"""


@fal.function("conda", packages=["pyjokes"], channels=["conda-forge"], pip=["six==1.17.0"], keep_alive=0)
def tells_a_joke():
    import pyjokes
    import six

    print("from the function:", pyjokes.get_joke())
    return six.__version__


@fal.function("conda", env_yml_str=ENVIRONMENT, serve=True)
def served(times: int = 1) -> dict:
    import pyjokes
    import six

    return {"jokes": [pyjokes.get_joke()] * times, "six": six.__version__}


@fal.function("conda", packages=["no-such-package"])
def of_no_such_package():
    return 1


@fal.function("conda", packages=["python=3.9"])
def of_another_python():
    return 1
