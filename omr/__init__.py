"""Printed music: finding staves, reading them with the recogniser, MusicXML, MIDI and pictures of what was read."""
