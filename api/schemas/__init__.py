"""What goes in and what comes out, with units and examples: a file for each resource."""
