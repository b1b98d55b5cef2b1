"""Tables of the DeepFaith benchmark."""
