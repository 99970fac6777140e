"""What is known of other test frameworks: how their result files are read into cases."""
