"""What every object must satisfy: rules as data, judged by a policy pack before and by the API server afterwards."""
