"""moto, which answers what the emulator does not answer itself, in a process of its own."""
