def help_with(x):
    return f"helped {x}"
