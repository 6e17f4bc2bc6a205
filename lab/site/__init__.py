"""A running lab: its network, its mirrors, its servers, and what can befall them."""
