"""Read the migrations of a Django project as SQL, from a process of its own."""
