"""What a person types: the `popjax` command."""
