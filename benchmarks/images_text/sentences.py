"""Sentences for the pictures, written for them: rows of the data sets are not kept."""

SENTENCES: dict[str, tuple[str, ...]] = {
    "sst2": (
        "a warm, funny and quietly moving film with a wonderful cast",
        "the plot is a mess, and not even the good actors can save it",
        "it is not without charm, but the ending is dull and far too long",
    ),
    "ag_news": (
        "The striker scored twice as the home team won the cup final after extra time.",
        "Shares of the chip maker fell after the company lowered its profit forecast.",
        "Researchers released new software that protects computers against a browser flaw.",
        "The prime minister met the president in the capital to discuss the peace talks.",
    ),
}
