"""What low resolutions cost and save: scales, distillation, selector."""
