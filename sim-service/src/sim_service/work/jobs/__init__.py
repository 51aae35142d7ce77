"""Long work: asked for over HTTP, done in the worker, resumed after a crash."""
