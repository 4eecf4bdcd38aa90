"""Custom resources: what a CustomResourceDefinition says about its objects, as pure functions."""
