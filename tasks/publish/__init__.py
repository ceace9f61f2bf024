"""What a person signs: approval, frozen files, proof by rebuilding, and the lake's upkeep."""
