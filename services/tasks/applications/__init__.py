"""Applications: creators apply for a task and withdraw; brands read them."""
