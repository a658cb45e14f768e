"""What tests share: a running stack, waiting for conditions, apps to publish."""
