VALUE = "from deep"
