"""The exchange in the box: matching, flow, scenarios, server."""
