"""Functions whose environments cannot be built on a plain machine."""

import fal


@fal.function(kind="container", image=fal.ContainerImage.from_dockerfile_str("FROM python:3.11-slim\n"))
def of_an_image():
    return 1


@fal.function(kind="conda", packages=["pyjokes"])
def of_conda():
    return 1


@fal.function(requirements=["six==1.16", "six==1.17"])
def of_conflicting_pins():
    return 1
