"""Networks: encoders and decoders for data of any event shape."""
