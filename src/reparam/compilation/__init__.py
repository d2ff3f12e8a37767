"""Work as graphs of tensor operations that torch compiles."""
