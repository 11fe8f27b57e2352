"""accelctl: rents cloud accelerators without waste."""
