"""What the control database says, as frozen values. Pure: nothing here reaches outside."""
