"""PEAR on images and texts: accuracy, agreement, faithfulness, and what one says of the other."""
