"""kill_switch"""
