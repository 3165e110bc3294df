from delayserver import delay_server
