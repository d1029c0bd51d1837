"""WireMock's stub mappings in.

Source: the schemas `stub-mapping`, `request-pattern` and `response-definition` of
wiremock/wiremock, and its manual's pages "Request Matching" and "Stateful Behaviour".
"""
